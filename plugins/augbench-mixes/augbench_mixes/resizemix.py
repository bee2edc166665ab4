"""ResizeMix (Qin et al. 2020, arXiv 2012.11101): a whole image, made small, pasted into another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from augbench_mixes._checks import span
from augbench_mixes._masks import Box, box_mask, paste

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ResizeMix", "resizing"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ResizeMix:
    """All of x_j, scaled by τ ~ U(low, high), shown somewhere inside x_i.

    The weight of x_i is the share of its pixels that still show. Made small by antialiased
    bilinear interpolation.
    """

    sources: ClassVar[int] = 2
    # Around the paper's 0.8: ours.
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {"high": (0.4, 1.0)}
    operations: ClassVar[frozenset[str]] = frozenset({"mixing", "occlusion", "scale"})
    low: float = 0.1
    high: float = 0.8

    def __post_init__(self) -> None:
        span("low", self.low, "high", self.high)

    def __call__(
        self, x_i: Tensor, x_j: Tensor, *, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mix two batches [N, C, H, W]; draws three values for each image."""
        count, (height, width) = len(x_i), x_i.shape[-2:]
        scale = rng.uniform(self.low, self.high, size=count)
        tall = np.maximum(1, np.rint(scale * height)).astype(np.int64)
        wide = np.maximum(1, np.rint(scale * width)).astype(np.int64)
        top = rng.integers(height - tall + 1)
        left = rng.integers(width - wide + 1)
        down = x_j.new_tensor(resizing(top, tall, height)[:, None])  # [N, 1, H, H]
        across = x_j.new_tensor(resizing(left, wide, width)[:, None])  # [N, 1, W, W]
        small = down @ x_j @ across.mT  # [N, C, H, W]: x_j in its box, zero elsewhere
        box = Box(top, top + tall, left, left + wide)
        return paste(x_i, small, box_mask(box, height, width))


def resizing(start: Ints, length: Ints, side: int) -> NDArray[np.float64]:
    """Matrices [N, side, side] that shrink a side to `length` pixels [N] from `start` [N] on.

    Each of these pixels is a mean under a triangle as wide as two of them: antialiased linear
    interpolation. The other rows are zero.
    """
    pixels = np.arange(side)
    step = (side / length)[:, None, None]  # source pixels in one of the new ones
    centre = (pixels[:, None] - start[:, None, None] + 0.5) * step
    weight = np.maximum(0, 1 - np.abs(pixels + 0.5 - centre) / step)  # [N, new, old]
    inside = (pixels >= start[:, None]) & (pixels < (start + length)[:, None])
    total = weight.sum(axis=2, keepdims=True)
    scaled: NDArray[np.float64] = weight * inside[:, :, None] / np.where(total > 0, total, 1)
    return scaled
