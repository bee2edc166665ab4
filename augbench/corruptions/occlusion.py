"""Occlusion: a square in front of the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from augbench.corruptions.contract import at_strength

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Occlusion"]


@dataclass(frozen=True)
class Occlusion:
    """A grey box of 25, 40 or 55 % of each side, at a random place inside the image.

    As Zeiler and Fergus cover images to see what a network looks at (2014, arXiv 1311.2901,
    section 4.2). `fill` is the box's value, 0 … 255.
    """

    operations: ClassVar[frozenset[str]] = frozenset({"occlusion"})
    strength: int
    fill: int = 128

    def __post_init__(self) -> None:
        _ = self.share
        if not 0 <= self.fill <= 255:
            raise ValueError(f"fill must be in 0 … 255, got {self.fill}")

    @property
    def share(self) -> float:
        """The share of each side that is covered."""
        return at_strength(self.strength, (0.25, 0.4, 0.55))

    def __call__(self, images: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Corrupt images [N, C, H, W]; draws N rows and N columns."""
        import torch
        from torchvision.transforms.v2 import functional as F

        height, width = images.shape[-2:]
        tall, wide = (max(1, round(self.share * side)) for side in (height, width))
        top = rng.integers(height - tall + 1, size=len(images)).tolist()
        left = rng.integers(width - wide + 1, size=len(images)).tolist()
        value = torch.tensor(self.fill, dtype=images.dtype, device=images.device)
        covered = images.clone()
        for image, i, j in zip(covered, top, left, strict=True):
            F.erase(image, i, j, tall, wide, value, inplace=True)
        return covered
