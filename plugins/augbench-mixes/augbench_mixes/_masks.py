"""Boxes and masks, counted in whole pixels so that labels are exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Box", "box_mask", "centred_box", "on_device", "paste"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Box(NamedTuple):
    """One box for each image, each field [N]: rows top … bottom − 1, columns left … right − 1."""

    top: Ints
    bottom: Ints
    left: Ints
    right: Ints


def centred_box(
    centre_row: Ints, centre_column: Ints, area: Floats, height: int, width: int
) -> Box:
    """Boxes of `area` [N] (a share of the image) around a centre [N], clipped to the image.

    A side is twice half its length rounded down, and thus even, as in CutMix's published code.
    """
    half = 0.5 * np.sqrt(area)
    half_height = (half * height).astype(np.int64)
    half_width = (half * width).astype(np.int64)
    return Box(
        np.clip(centre_row - half_height, 0, height),
        np.clip(centre_row + half_height, 0, height),
        np.clip(centre_column - half_width, 0, width),
        np.clip(centre_column + half_width, 0, width),
    )


def box_mask(box: Box, height: int, width: int) -> Bools:
    """True inside the box: [N, 1, H, W]."""
    rows, columns = np.arange(height), np.arange(width)
    in_rows = (rows >= box.top[:, None]) & (rows < box.bottom[:, None])  # [N, H]
    in_columns = (columns >= box.left[:, None]) & (columns < box.right[:, None])  # [N, W]
    return in_rows[:, None, :, None] & in_columns[:, None, None, :]


def paste(x_i: Tensor, x_j: Tensor, mask: Bools) -> tuple[Tensor, Tensor]:
    """Show x_j where the mask [N, 1, H, W] is true; returns the image and the share of x_i [N]."""
    share = 1 - mask.mean(axis=(1, 2, 3))  # of booleans: a whole number over H·W
    return x_j.where(on_device(mask, x_j), x_i), x_i.new_tensor(share)


def on_device(array: NDArray[np.generic], x: Tensor) -> Tensor:
    """An array as a tensor of its own type, where `x` lies."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(array)).to(x.device)
