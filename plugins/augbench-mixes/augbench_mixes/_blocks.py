"""A grid of blocks over an image, which it need not divide: blocks differ by one pixel then."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["block_means", "blocks_to_pixels", "moved", "starts"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def starts(side: int, grid: int) -> Ints:
    """The first pixel of each block, and the side at the end: [grid + 1]."""
    return -(-np.arange(grid + 1) * side // grid)


def block_means(values: Floats, grid: int, axis: int) -> Floats:
    """Means over the blocks along one axis, which then has length `grid`."""
    start = starts(values.shape[axis], grid)
    sums = np.add.reduceat(values, start[:-1], axis=axis)
    shape = [1] * values.ndim
    shape[axis] = grid
    means: Floats = sums / np.diff(start).reshape(shape)
    return means


def blocks_to_pixels(blocks: Floats, height: int, width: int) -> Floats:
    """Values of blocks [N, g, g] as pixels [N, H, W]."""
    grid = blocks.shape[-1]
    rows, columns = np.arange(height) * grid // height, np.arange(width) * grid // width
    return blocks[:, rows[:, None], columns]


def moved(plan: Ints, height: int, width: int) -> Ints:
    """Return the source pixel (counted row by row) of each pixel, if block `plan[n, p]` moves to p.

    `plan` is [N, g²], the result [N, H, W]. A block that lands in one which is a pixel larger
    repeats its last row or column; in one which is smaller, it loses it.
    """
    grid = round(plan.shape[1] ** 0.5)
    block_row, block_column = np.arange(height) * grid // height, np.arange(width) * grid // width
    source = plan[:, block_row[:, None] * grid + block_column]  # [N, H, W]
    rows = _pixel(source // grid, np.arange(height)[:, None], block_row[:, None], height, grid)
    columns = _pixel(source % grid, np.arange(width), block_column, width, grid)
    return rows * width + columns


def _pixel(block: Ints, pixel: Ints, own: Ints, side: int, grid: int) -> Ints:
    """The pixel of `block` that lies as far from its start as `pixel` from its `own` block's."""
    start = starts(side, grid)
    shifted: Ints = np.minimum(start[block] + pixel - start[own], start[block + 1] - 1)
    return shifted
