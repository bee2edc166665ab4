"""RandAugment and TrivialAugment: torchvision's draws for all images first, then its operations.

Applying an operation to many images at once costs a fraction of a call for each. The results are
those of a call for each, to the bit. Private names of torchvision's are used; where a version has
others, the transform is called image by image.
"""

from __future__ import annotations

import copy
import inspect
from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import v2

from augbench_torchvision._seeding import each

__all__ = ["draw_then_apply"]

# With torchvision's default of the nearest pixel, these only move pixels; what comes in is black.
_MOVES = frozenset({"ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"})
# A byte's new value depends on that byte alone.
_BYTES = frozenset({"Brightness", "Posterize", "Solarize"})
# On several threads, torch.mean adds a large image's pixels in another order than a batch's (seen
# at 400×400). Sums of bytes up to 2²⁴ are exact in float32 in any order.
_EXACT_MEAN = 2**24 // 255


def draw_then_apply(x: Tensor, transform: Any, rng: np.random.Generator) -> Tensor:
    """`each`, for v2.RandAugment or v2.TrivialAugmentWide on uint8 images [N, C, H, W]."""
    kind: Any = type(transform)
    space = _space(kind)
    if space is None:
        return each(x, transform, rng)
    chains: list[list[tuple[str, float]]] = []

    def record(image: Tensor, transform_id: str, magnitude: float, **_: Any) -> Tensor:
        chains[-1].append((transform_id, magnitude))
        return image

    def draw(image: Tensor) -> Tensor:
        chains.append([])
        return recorder.forward(image)  # type: ignore[no-any-return]

    recorder = copy.copy(transform)
    recorder._AUGMENTATION_SPACE = space
    recorder._apply_image_or_video_transform = record
    images = list(each(x.cpu(), draw, rng))
    for operations in zip(*chains, strict=True):  # the first of all images, then the second
        _apply(transform, images, operations)
    return torch.stack(images).to(x.device)


def _apply(transform: Any, images: list[Tensor], operations: tuple[tuple[str, float], ...]) -> None:
    """Replace each of `images` [C, H, W] by what its operation makes of it."""
    kind: Any = type(transform)
    groups: dict[Any, list[int]] = defaultdict(list)
    pixels = images[0][0].numel()
    for i, (name, magnitude) in enumerate(operations):
        tables = next((names for names in (_MOVES, _BYTES) if name in names), None)
        alone = i if name == "Contrast" and pixels > _EXACT_MEAN else None
        groups[tables or (name, magnitude, alone)].append(i)
    for key, members in groups.items():
        batch = torch.stack([images[i] for i in members])  # [n, C, H, W]
        size = batch.shape[-2:]
        if key is _MOVES:
            sources = torch.stack([_sources(kind, *operations[i], *size) for i in members])
            padded = torch.nn.functional.pad(batch.flatten(2), (1, 0))  # pixel 0 is black
            index = sources.long()[:, None].expand(-1, batch.shape[1], -1)  # [n, C, H·W]
            result = padded.gather(2, index).view_as(batch)
        elif key is _BYTES:
            levels = torch.stack([_levels(kind, *operations[i]) for i in members])  # [n, 256]
            result = levels.gather(1, batch.flatten(1).long()).view_as(batch)
        else:
            result = _operate(transform, batch, *key[:2])
        for i, image in zip(members, result, strict=True):
            images[i] = image


def _operate(transform: Any, image: Tensor, name: str, magnitude: float) -> Tensor:
    return transform._apply_image_or_video_transform(  # type: ignore[no-any-return]
        image, name, magnitude, interpolation=transform.interpolation, fill=transform._fill
    )


@lru_cache(maxsize=512)  # TrivialAugment has 300 moves of a size
def _sources(kind: type, name: str, magnitude: float, height: int, width: int) -> Tensor:
    """Number of the pixel, from 1, that goes to each place, or 0: int32 [H·W]."""
    numbers = torch.arange(1, height * width + 1, dtype=torch.float32).view(1, height, width)
    return _operate(kind(), numbers, name, magnitude).int().flatten()


@lru_cache(maxsize=512)
def _levels(kind: type, name: str, magnitude: float) -> Tensor:
    """What each byte becomes: uint8 [256]."""
    every_byte = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
    return _operate(kind(), every_byte, name, magnitude).flatten()


@lru_cache(maxsize=8)
def _space(kind: Any) -> dict[str, tuple[Callable[..., Any], bool]] | None:
    """Operations with kept magnitudes, or None where torchvision's private names are others."""
    apply = getattr(kind, "_apply_image_or_video_transform", None)
    space = getattr(kind, "_AUGMENTATION_SPACE", None)
    expected = ["self", "image", "transform_id", "magnitude", "interpolation", "fill"]
    if apply is None or list(inspect.signature(apply).parameters) != expected or not space:
        return None
    plain = kind()
    if plain.interpolation not in ("nearest", v2.InterpolationMode.NEAREST) or plain.fill:
        return None
    return {name: (_kept(magnitudes), signed) for name, (magnitudes, signed) in space.items()}


def _kept(magnitudes: Callable[..., Tensor | None]) -> Callable[..., list[float] | None]:
    """torchvision computes its magnitudes again at each draw."""

    @lru_cache(maxsize=8)
    def values(num_bins: int, height: int, width: int) -> list[float] | None:
        found = magnitudes(num_bins, height, width)
        return None if found is None else found.tolist()

    return values
