"""Cutout (DeVries and Taylor 2017, arXiv 1708.04552): a square of the image is blanked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from augbench_mixes._checks import fraction
from augbench_mixes._masks import Box, box_mask, on_device

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Cutout"]


@dataclass(frozen=True)
class Cutout:
    """A box of `size`·(H, W) at a uniform centre, clipped at the border, is set to `fill`.

    The paper's 16 of 32 pixels on CIFAR-10 are `size` 0.5. It fills with 0 after normalisation,
    that is, with the mean colour; images here are not normalised, and 0 is black.
    """

    sources: ClassVar[int] = 1
    operations: ClassVar[frozenset[str]] = frozenset({"occlusion"})
    shares: ClassVar[str] = "the label is kept, although a box of the image is blanked"
    # Around what the paper chose by validation: 8 of 32 pixels on CIFAR-100 to 20 on SVHN.
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {"size": (0.1, 0.75)}
    size: float = 0.5
    fill: float = 0.0

    def __post_init__(self) -> None:
        fraction("size", self.size)
        fraction("fill", self.fill)

    def __call__(self, x: Tensor, *, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Blank a box of each image [N, C, H, W]; draws two values for each image."""
        count, (height, width) = len(x), x.shape[-2:]
        tall, wide = round(self.size * height), round(self.size * width)
        top = rng.integers(height, size=count) - tall // 2
        left = rng.integers(width, size=count) - wide // 2
        box = Box(*_clipped(top, tall, height), *_clipped(left, wide, width))
        mask = on_device(box_mask(box, height, width), x)
        return x.masked_fill(mask, self.fill), x.new_ones(count)


def _clipped(
    start: NDArray[np.int64], length: int, side: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.clip(start, 0, side), np.clip(start + length, 0, side)
