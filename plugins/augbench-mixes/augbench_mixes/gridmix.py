"""GridMix's mixing (Baek, Bang and Shim, Pattern Recognition 109, 2021): cells of a grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from augbench_mixes._checks import at_least, positive
from augbench_mixes._masks import paste

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["GridMix", "cells_to_pixels", "chosen_cells"]


@dataclass(frozen=True)
class GridMix:
    """Of `grid`×`grid` cells, a share λ ~ Beta(alpha, alpha), drawn at random, shows x_i.

    The grid-based mixing alone: the paper's second part, a loss on the label of each cell, needs
    a head of its own, which an augmentation does not have.
    """

    sources: ClassVar[int] = 2
    # As CutMix's, whose λ it shares; the paper gives no range.
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {"alpha": (0.1, 4.0, "log")}
    operations: ClassVar[frozenset[str]] = frozenset({"mixing", "occlusion"})
    grid: int = 4
    alpha: float = 1.0

    def __post_init__(self) -> None:
        at_least("grid", self.grid, 1)
        positive("alpha", self.alpha)

    def __call__(
        self, x_i: Tensor, x_j: Tensor, *, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mix two batches [N, C, H, W]; draws 1 + grid² values for each image."""
        lam = rng.beta(self.alpha, self.alpha, size=len(x_i))
        cells = chosen_cells(lam, rng.random((len(x_i), self.grid**2)))
        height, width = x_i.shape[-2:]
        return paste(x_i, x_j, ~cells_to_pixels(cells, height, width)[:, None])


def chosen_cells(lam: NDArray[np.float64], order: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Choose the share `lam` [N] of cells, to the nearest cell: those first in `order` [N, g²]."""
    cells = order.shape[1]
    rank = order.argsort(axis=1).argsort(axis=1)
    side = round(cells**0.5)
    chosen: NDArray[np.bool_] = rank < np.floor(lam * cells + 0.5)[:, None]
    return chosen.reshape(-1, side, side)


def cells_to_pixels(cells: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """Cells [N, g, g] as pixels [N, H, W]; where g does not divide a side, cells differ by 1."""
    grid = cells.shape[1]
    rows, columns = np.arange(height) * grid // height, np.arange(width) * grid // width
    return cells[:, rows[:, None], columns]
