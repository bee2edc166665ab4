"""RICAP (Takahashi et al. 2018, arXiv 1811.09030): random image cropping and patching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from augbench_mixes._checks import positive
from augbench_mixes._tiles import areas, tile

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Ricap"]


@dataclass(frozen=True)
class Ricap:
    """Random crops of four images around a point (w, h) ~ Beta(beta, beta)·(W, H).

    The anchor is at the top left. A tile's weight is its share of the pixels.
    """

    sources: ClassVar[int] = 4
    # A factor of ten either side of the paper's 0.3.
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {"beta": (0.03, 3.0, "log")}
    operations: ClassVar[frozenset[str]] = frozenset({"mixing", "crop", "translation"})
    beta: float = 0.3

    def __post_init__(self) -> None:
        positive("beta", self.beta)

    def __call__(self, *sources: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Mix four batches [N, C, H, W]; draws ten values for each image."""
        count, (height, width) = len(sources[0]), sources[0].shape[-2:]
        row = np.rint(rng.beta(self.beta, self.beta, size=count) * height).astype(np.int64)
        column = np.rint(rng.beta(self.beta, self.beta, size=count) * width).astype(np.int64)
        # A crop begins anywhere from which it fits: 0 … side − its length.
        top = rng.integers(np.stack([height - row] * 2 + [row] * 2, axis=1) + 1)  # [N, 4]
        left = rng.integers(np.stack([width - column, column] * 2, axis=1) + 1)
        zero = np.zeros_like(row)
        down = top - np.stack([zero, zero, row, row], axis=1)
        across = left - np.stack([zero, column, zero, column], axis=1)
        image = tile(sources, row, column, down, across)
        return image, sources[0].new_tensor(areas(row, column, height, width))
