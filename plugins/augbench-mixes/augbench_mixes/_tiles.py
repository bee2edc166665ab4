"""Four images around one point, for RICAP and Mosaic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from augbench_mixes._masks import on_device

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["areas", "tile"]

Ints = NDArray[np.int64]


def tile(sources: Sequence[Tensor], row: Ints, column: Ints, down: Ints, across: Ints) -> Tensor:
    """Lay out four images [N, C, H, W] around the point (row, column) [N] of each output.

    They come in reading order: top left, top right, bottom left, bottom right. Output pixel (r, c)
    of tile k shows pixel ((r + down) mod H, (c + across) mod W) of source k, with `down` and
    `across` [N, 4].
    """
    import torch

    height, width = sources[0].shape[-2:]
    lower = np.arange(height) >= row[:, None]  # [N, H]
    right = np.arange(width) >= column[:, None]  # [N, W]
    which = 2 * lower[:, :, None] + right[:, None, :]  # [N, H, W]: 0 … 3
    images = np.arange(len(row))[:, None, None]
    rows = (np.arange(height)[:, None] + down[images, which]) % height
    columns = (np.arange(width) + across[images, which]) % width
    flat = on_device((which * height + rows) * width + columns, sources[0])  # [N, H, W]
    stacked = torch.stack(tuple(sources), dim=2).flatten(2)  # [N, C, 4·H·W]
    flat = flat.flatten(1)[:, None].expand(-1, stacked.shape[1], -1)  # [N, C, H·W]
    return stacked.gather(2, flat).view_as(sources[0])


def areas(row: Ints, column: Ints, height: int, width: int) -> NDArray[np.float64]:
    """The share of each of the four tiles: [N, 4]."""
    tall = np.stack([row, row, height - row, height - row], axis=1)
    wide = np.stack([column, width - column, column, width - column], axis=1)
    return tall * wide / (height * width)
