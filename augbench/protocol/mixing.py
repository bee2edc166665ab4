"""Augmented images and soft labels from a batch's sources; what a plugin returns is checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from augbench.augmentations.contract import Augmentation
from augbench.errors import ContractError

__all__ = ["check_images", "check_weights", "mixed", "soft_labels", "weights_of"]

_ROUNDING = 1e-6  # by which a value may leave its range


def mixed(
    augmentation: Augmentation,
    sources: Sequence[Tensor],
    rng: np.random.Generator,
    who: str,
    *,
    classes: int | None = None,
    **supplied: Any,
) -> tuple[Tensor, Tensor]:
    """Call the augmentation on its sources, each [N, C, H, W], and on what it is `supplied` with.

    Returns the images [N, C, H, W] and the weights of the sources [N, K]; of one or two sources,
    the first one's share alone, [N]; with `classes`, the class distribution [N, classes] that the
    augmentation returns instead. Raises `ContractError`, which names it as `who`, for another shape
    or type, and looks at no value: see `check_images` and `check_weights`.
    """
    anchor = sources[0]
    if classes is not None:
        supplied["classes"] = classes
    result = augmentation(*sources, rng=rng, **supplied)
    if len(sources) == 1 and classes is None and isinstance(result, Tensor):
        image, shares = result, anchor.new_ones(len(anchor))
    elif isinstance(result, tuple) and len(result) == 2:
        width = classes or (len(sources) if len(sources) > 2 else None)
        what = "weights" if classes is None else "a class distribution"
        image, shares = result[0], _shares(result[1], anchor, width, who, what)
    else:
        second = "weight" if classes is None else "class distribution"
        raise ContractError(
            f"{who}: expected a tuple (image, {second}), got {type(result).__name__}; "
            "see docs/plugins.md"
        )
    if not isinstance(image, Tensor) or image.shape != anchor.shape or image.dtype != anchor.dtype:
        got = f"{image.dtype} {list(image.shape)}" if isinstance(image, Tensor) else type(image)
        raise ContractError(
            f"{who}: expected an image of {anchor.dtype} {list(anchor.shape)}, got {got}"
        )
    return image, shares


def _shares(given: object, anchor: Tensor, width: int | None, who: str, what: str) -> Tensor:
    """Shares [N], or weights or class probabilities [N, width], checked for their shape."""
    try:
        shares = torch.as_tensor(given, dtype=anchor.dtype, device=anchor.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ContractError(f"{who}: {what} is no array of numbers ({error})") from error
    expected = (len(anchor),) if width is None else (len(anchor), width)
    if tuple(shares.shape) != expected:
        raise ContractError(
            f"{who}: expected {what} of shape {list(expected)}, got {list(shares.shape)}"
        )
    return shares


def check_images(
    images: Tensor, sources: Sequence[Tensor], promised: tuple[float, float], who: str
) -> None:
    """Raise `ContractError` for values that are no numbers, or outside the `promised` range.

    The range is promised for sources in [0, 1]; for others, values need only be finite.
    """
    low, high = torch.stack(images.detach().aminmax()).tolist()
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ContractError(
            f"{who}: expected images of finite numbers, got "
            f"{int((~images.isfinite()).sum())} values of {images.numel()} that are not"
        )
    least, most = promised
    slack = _ROUNDING * max(1.0, most - least)
    if low < least - slack or high > most + slack:
        lowest = min(float(one.min()) for one in sources)
        highest = max(float(one.max()) for one in sources)
        if lowest < -_ROUNDING or highest > 1 + _ROUNDING:
            return  # an earlier stage has left [0, 1], as it may have declared
        raise ContractError(
            f"{who}: expected values in [{least:g}, {most:g}], got {low:.4g} … {high:.4g}; clamp "
            "them, or declare the class attribute `value_range = (low, high)`"
        )


def weights_of(shares: Tensor, sources: int) -> Tensor:
    """The weights [..., sources] of what `mixed` returned: shares [...] of one or two sources."""
    return torch.stack((shares, 1 - shares), dim=-1)[..., :sources] if sources <= 2 else shares


def check_weights(weights: Tensor, who: str, what: str = "weights") -> None:
    """Raise `ContractError` unless no weight [..., K] is negative and each K of them sum to 1.

    The same holds for class probabilities [..., classes]; `what` names the values in the message.
    """
    off = (weights.sum(dim=-1) - 1).abs().max()
    # Read back at once: on a GPU, each reading waits.
    low, high, furthest = torch.stack((*weights.aminmax(), off)).tolist()
    # Written so that a NaN fails it as well. A weight may pass 1 by a rounding: the probabilities
    # of two sources of one class are added up.
    if not (low >= 0 and furthest <= 1e-4):
        raise ContractError(
            f"{who}: expected {what} in [0, 1] whose rows sum to 1, got {low:.4g} … "
            f"{high:.4g}, the furthest row off by {furthest:.4g}"
        )


def soft_labels(labels: Tensor, weights: Tensor, classes: int) -> Tensor:
    """Class probabilities [..., classes] from the sources' labels and weights, both [..., K].

    Scatter-*add*: two sources of one class share it.
    """
    return weights.new_zeros(*labels.shape[:-1], classes).scatter_add_(-1, labels, weights)
