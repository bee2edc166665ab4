"""Mosaic (Bochkovskiy et al. 2020, arXiv 2004.10934): four images in a 2×2 grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from augbench_mixes._tiles import areas, tile

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Mosaic"]


@dataclass(frozen=True)
class Mosaic:
    """Four images laid out 2×2, seen through a window of one image's size.

    The point where they meet is uniform in the middle of the window, `margin` of each side away
    from the border at least (0.2 in YOLOv4's published code). The anchor is at the top left. A
    tile's weight is its share of the pixels. YOLOv4's random scale of each tile is left out.
    """

    sources: ClassVar[int] = 4
    operations: ClassVar[frozenset[str]] = frozenset({"mixing", "crop", "translation"})
    margin: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= 0.5:
            raise ValueError(f"margin must be in [0, 0.5], got {self.margin}")

    def __call__(self, *sources: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Mix four batches [N, C, H, W]; draws two values for each image."""
        count, (height, width) = len(sources[0]), sources[0].shape[-2:]
        meeting = rng.uniform(self.margin, 1 - self.margin, size=(2, count))
        row = np.rint(meeting[0] * height).astype(np.int64)
        column = np.rint(meeting[1] * width).astype(np.int64)
        # Each image has a corner at the point where they meet: all are shifted alike.
        down, across = (np.repeat(-shift[:, None], 4, axis=1) for shift in (row, column))
        image = tile(sources, row, column, down, across)
        return image, sources[0].new_tensor(areas(row, column, height, width))
