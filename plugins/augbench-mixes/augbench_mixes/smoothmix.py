"""SmoothMix (Lee et al., CVPR Workshops 2020): a blend with soft edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from augbench_mixes._checks import positive

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SmoothMix", "bells"]


@dataclass(frozen=True)
class SmoothMix:
    """G·x_i + (1 − G)·x_j with a Gaussian bell G of height 1 at a uniform pixel.

    Its width is U(low, high) of the image's sides: round in a square image, stretched with it
    otherwise. The weight of x_i is the mean of G.
    """

    sources: ClassVar[int] = 2
    operations: ClassVar[frozenset[str]] = frozenset({"mixing", "occlusion"})
    low: float = 0.25
    high: float = 0.5

    def __post_init__(self) -> None:
        positive("low", self.low)
        positive("high", self.high)
        if self.low > self.high:
            raise ValueError(f"expected low <= high, got low={self.low} and high={self.high}")

    def __call__(
        self, x_i: Tensor, x_j: Tensor, *, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mix two batches [N, C, H, W]; draws three values for each image."""
        count, (height, width) = len(x_i), x_i.shape[-2:]
        sigma = rng.uniform(self.low, self.high, size=count)
        down = bells(rng.integers(height, size=count), sigma * height, height)  # [N, H]
        across = bells(rng.integers(width, size=count), sigma * width, width)  # [N, W]
        mask = x_i.new_tensor(down[:, None, :, None] * across[:, None, None, :])  # [N, 1, H, W]
        lam = x_i.new_tensor(down.mean(axis=1) * across.mean(axis=1))  # the mean of the product
        return mask * x_i + (1 - mask) * x_j, lam


def bells(centre: NDArray[np.int64], sigma: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """exp(−(t − centre)² / 2σ²) at the pixels t of a side: [N, side]."""
    distance = (np.arange(side) - centre[:, None]) / sigma[:, None]
    bell: NDArray[np.float64] = np.exp(-0.5 * distance**2)
    return bell
