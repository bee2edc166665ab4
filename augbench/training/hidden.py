"""Steps of K cells whose augmentations mix hidden layers, each at a layer of its own choice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from augbench.packed import Heads, Packed, UnpackableError, side_by_side
from augbench.protocol.augmenting import Augmenter, Mixture
from augbench.protocol.loss import loss_weights, smoothed, summed_losses
from augbench.protocol.recipe import Recipe
from augbench.protocol.update import Update
from augbench.training.blocks import Drawn, GuiltyCellsError, Step, of_each_cell
from augbench.training.descent import Taken
from augbench.training.suppliers import hidden_layers

__all__ = ["layers_to_tap", "offered_taps", "steps_with_hidden_layers"]

Changes = dict[int, Callable[[Tensor], Tensor]]
_PROBED = 256  # choices of a layer


def layers_to_tap(
    backbone: nn.Module, image_shape: tuple[int, int, int], augmenters: Iterable[Augmenter]
) -> tuple[str, ...]:
    """The full names of the hidden layers that some augmenters choose, in the order they run.

    A tap at every layer would keep all of them from being fused with what follows. Augmenters are
    asked for some choices here, and are not to be used afterwards.
    """
    names, chosen = _full_names(backbone, image_shape), set[str]()
    for augmenter in augmenters:
        try:
            chosen |= {augmenter.choose_layer(("", *names)) for _ in range(_PROBED)}
        except Exception:  # its cell will fail alone, once it is trained
            continue
    return tuple(full for name, full in names.items() if name in chosen)


def offered_taps(
    backbones: Packed, like: nn.Module, image_shape: tuple[int, int, int]
) -> dict[str, Changes | None]:
    """The taps of the layers that augmentations may choose, by the names that they are offered.

    `like` is one of the packed modules. There is none at a layer that `layers_to_tap` left out.
    """
    names = _full_names(like, image_shape)
    return {name: backbones.taps.get(full) for name, full in names.items()}


def _full_names(backbone: nn.Module, image_shape: tuple[int, int, int]) -> dict[str, str]:
    """The names of a backbone's `hidden_layers`, and those of `named_modules`."""
    full = {module: name for name, module in backbone.named_modules()}
    device = next((one.device for one in backbone.parameters()), torch.device("cpu"))
    images = torch.zeros(2, *image_shape, device=device)
    return {name: full[module] for name, module in hidden_layers(backbone, images).items()}


def steps_with_hidden_layers(
    drawn: Drawn,
    taps: Mapping[str, Changes | None],
    backbones: Packed,
    heads: Heads,
    recipes: Sequence[Recipe],
    smoothing: Tensor,
) -> Iterator[Taken]:
    """Take steps of which each cell's augmentation mixes a layer, or the images.

    The counterpart of `descent.descent` and `steps_taken`; what came of each step is known at once.
    Such steps are not replayed: which layers are mixed changes from step to step. Raises
    `GuiltyCellsError` as `blocks` does, before anything is updated, and `UnpackableError` where a
    layer is chosen that has no tap.
    """
    update = Update(
        [*heads.parameters(), *backbones.stacked().values()], recipes, drawn.common.steps
    )
    for step in drawn.steps():
        mixing = _Mixing(drawn, step, taps)
        log_probabilities = heads(backbones(mixing.inputs()))  # [K, B, classes]
        targets = smoothed(mixing.targets(), smoothing[:, None, None])
        update(summed_losses(loss_weights(targets), log_probabilities))
        yield log_probabilities.detach()[None], targets[None]


class _Mixing:
    """The mixing of one step: of images before the forward pass, of hidden layers within it."""

    def __init__(self, drawn: Drawn, step: Step, taps: Mapping[str, Changes | None]) -> None:
        self._drawn, self._step, self._taps = drawn, step, taps
        self._mixtures: dict[int, Mixture] = {}
        self._errors: dict[int, Exception] = {}

    def inputs(self) -> Tensor:
        """The images [B, K·C, H, W] of the step; taps are set to mix where a layer is chosen."""
        augmenters, offered = self._drawn.augmenters, ("", *self._taps)
        layers = of_each_cell(lambda k: augmenters[k].choose_layer(offered), len(augmenters))
        for changes in filter(None, self._taps.values()):
            changes.clear()
        for k, layer in enumerate(layers):
            if layer:
                at_layer = self._taps[layer]
                if at_layer is None:
                    raise UnpackableError(f"no cell was seen to choose layer {layer!r} before")
                at_layer[k] = partial(self._mix_hidden, k)
        images = of_each_cell(lambda k: self._images(k, layers[k]), len(layers))
        return side_by_side(images, self._drawn.batch)[0]

    def _images(self, k: int, layer: str) -> Tensor:
        sources = self._step.cells[k].sources
        return sources[0] if layer else self._mixed(k, sources)

    def _mix_hidden(self, k: int, hidden: Tensor) -> Tensor:
        try:
            partners = self._step.cells[k].partners
            # Its backward pass adds whole rows; that of hidden[other] adds number by number.
            further = (hidden.index_select(0, other) for other in partners)
            return self._mixed(k, [hidden, *further])
        except torch.cuda.OutOfMemoryError:
            raise  # nobody's fault
        except Exception as error:
            self._errors[k] = error
            return hidden

    def _mixed(self, k: int, sources: Sequence[Tensor]) -> Tensor:
        self._mixtures[k] = self._drawn.augmenters[k].mix(sources, self._step.cells[k].rows)
        return self._mixtures[k].images

    @torch.no_grad()
    def targets(self) -> Tensor:
        """The class probabilities [K, B, classes], once the forward pass is done."""
        if self._errors:
            raise GuiltyCellsError(self._errors)
        mixtures = [self._mixtures[k] for k in range(len(self._step.cells))]
        return self._drawn.targets(mixtures, self._step.labels)
