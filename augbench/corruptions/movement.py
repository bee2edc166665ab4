"""Translation and rotation: an object that is not where it should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from augbench.corruptions.contract import at_strength

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Rotation", "Translation"]


@dataclass(frozen=True)
class Translation:
    """Moved 5, 10 or 15 % of the shorter side in a random direction; black moves in.

    By whole pixels in each direction, so that nothing is blurred.
    """

    operations: ClassVar[frozenset[str]] = frozenset({"translation"})
    strength: int

    def __post_init__(self) -> None:
        _ = self.share

    @property
    def share(self) -> float:
        """The length of the way as a share of the shorter side."""
        return at_strength(self.strength, (0.05, 0.1, 0.15))

    def __call__(self, images: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Corrupt images [N, C, H, W]; draws N directions."""
        import torch
        from torchvision.transforms.v2 import functional as F

        length = max(1.0, self.share * min(images.shape[-2:]))
        direction = rng.uniform(0, 2 * np.pi, size=len(images))
        right = np.rint(length * np.cos(direction)).tolist()
        down = np.rint(length * np.sin(direction)).tolist()
        return torch.stack(
            [
                F.affine(image, 0.0, [dx, dy], 1.0, [0.0, 0.0])
                for image, dx, dy in zip(images, right, down, strict=True)
            ]
        )


@dataclass(frozen=True)
class Rotation:
    """Turned about its centre by 10, 25 or 40 degrees, to the left or to the right at random."""

    operations: ClassVar[frozenset[str]] = frozenset({"rotation"})
    strength: int

    def __post_init__(self) -> None:
        _ = self.degrees

    @property
    def degrees(self) -> float:
        """The angle."""
        return at_strength(self.strength, (10, 25, 40))

    def __call__(self, images: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Corrupt images [N, C, H, W]; draws N signs."""
        import torch
        from torchvision.transforms.v2 import InterpolationMode
        from torchvision.transforms.v2 import functional as F

        angles = (self.degrees * rng.choice([-1, 1], size=len(images))).tolist()
        return torch.stack(
            [
                F.rotate(image, angle, InterpolationMode.BILINEAR)
                for image, angle in zip(images, angles, strict=True)
            ]
        )
