"""Questions to a packing beside steps of training; each answer is the first difference, or None."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from augbench.packed.nearness import Nearness
from augbench.packed.parties import Parties, gradients

__all__ = ["features_far_from_one", "features_in_use", "pixel_gradients", "tapped"]

_FAR = 1e30


@torch.no_grad()
def features_in_use(parties: Parties, nearness: Nearness, most: int | None) -> str | None:
    """Compare features in eval mode, of images of each cell's own and of shared ones.

    `most` bounds the images of a batch, if it is given.
    """
    parties.train(False)
    own = parties.images(most)
    # A test set is given to all cells at once, which the packing may compute in another way.
    for name, given in (("own", own), ("shared", own[:1] * parties.cells)):
        if name == "own":
            got = parties.packed(torch.cat(given, dim=1))
        else:
            got = parties.packed(given[0], shared=True)
        plain = parties.features_alone(parties.plain, given)
        truth = parties.features_alone(parties.truth, given) if parties.truth else plain
        if not nearness.near(got[parties.compared], plain, truth):
            return f"other features in eval mode, of {name} images"
    return None


def pixel_gradients(parties: Parties, nearness: Nearness) -> str | None:
    """Compare the gradients of each cell's images; all networks are in eval mode."""
    own = parties.images()
    direction = parties.direction(own[0])
    x = torch.cat(own, dim=1).requires_grad_()
    (wide,) = gradients(parties.packed(x), direction, [x])
    if wide is None:
        return "no gradients of images in eval mode"
    got = wide.unflatten(1, (parties.cells, -1)).transpose(0, 1)[parties.compared]

    def alone(nets: Sequence[nn.Module], dtype: torch.dtype) -> Tensor:
        slopes: list[Tensor | None] = []
        for k, one in zip(parties.compared, nets, strict=True):
            x = own[k].detach().to(dtype).requires_grad_()
            slopes += gradients(one(x), direction[k].to(dtype), [x])
        return torch.stack([one for one in slopes if one is not None])

    plain = alone(parties.plain, parties.dtype)
    truth = alone(parties.truth, torch.float64) if parties.truth else plain
    if not nearness.near(got, plain, truth):
        return "other gradients of images in eval mode"
    return None


def features_far_from_one(parties: Parties, nearness: Nearness) -> str | None:
    """Compare features in training of images so bright that their squares leave float32.

    Torch's own normalisations take variances in double precision; others may not. Where the
    plain modules lose the truth themselves, nothing is asked.
    """
    if parties.dtype is torch.float64 or not parties.truth:
        return None
    parties.train()
    own = [_FAR * images for images in parties.images()]
    # With gradients, as in training: torch may take other operators without.
    got = parties.packed(torch.cat(own, dim=1)).detach()[parties.compared]
    plain = parties.features_alone(parties.plain, own)
    truth = parties.features_alone(parties.truth, own)
    known = nearness.known(plain, truth)
    if bool(known.any()) and not nearness.near(got[known], plain[known], truth[known]):
        return "other features of images that are brighter by far"
    return None


def tapped(parties: Parties, compare: Callable[[], str | None]) -> str | None:
    """Let every tap change the value of every cell, while a step is taken by `compare`.

    The plain modules change theirs in a hook behind the same layers.
    """
    handles = []
    for number, (name, changes) in enumerate(parties.packed.taps.items()):
        change = partial(_changed, number)
        changes.update(dict.fromkeys(range(parties.cells), change))
        for one in (*parties.plain, *parties.truth):
            hook = partial(_changed_output, change)
            handles.append(one.get_submodule(name).register_forward_hook(hook))
    reason = compare()
    for handle in handles:
        handle.remove()
    for changes in parties.packed.taps.values():
        changes.clear()
    return reason


def _changed(number: int, value: Tensor) -> Tensor:
    """Rows mixed with other rows: differently behind each layer, at each place, in each shape."""
    share = 0.9 - 0.3 * number / (number + 1) - 0.02 * value.ndim
    mixed = share * value + (1 - share) * value.flip(0)
    places = torch.linspace(0.8, 1.2, value[0].numel(), dtype=value.dtype, device=value.device)
    return mixed * places.view(value.shape[1:])


def _changed_output(
    change: Callable[[Tensor], Tensor], module: nn.Module, inputs: object, output: Tensor
) -> Tensor:
    return change(output)
