"""Contrast and brightness: the same scene in other light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from augbench.corruptions.contract import at_strength

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["Brightness", "Contrast"]


@dataclass(frozen=True)
class Contrast:
    """Each value keeps 75, 50 or 40 % of its distance from the image's mean grey."""

    operations: ClassVar[frozenset[str]] = frozenset({"contrast"})
    strength: int

    def __post_init__(self) -> None:
        _ = self.factor

    @property
    def factor(self) -> float:
        """The share of the distance that is left."""
        return at_strength(self.strength, (0.75, 0.5, 0.4))

    def __call__(self, images: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Corrupt images [N, C, H, W]; draws nothing."""
        from torchvision.transforms.v2 import functional as F

        dull: Tensor = F.adjust_contrast(images, self.factor)
        return dull


@dataclass(frozen=True)
class Brightness:
    """Too much light: each value moves 10, 30 or 50 % of the way to white.

    torchvision's `adjust_brightness` of the negative. On the image itself, a factor above 1 would
    leave black what is black, and thus the digits of MNIST as they are.
    """

    operations: ClassVar[frozenset[str]] = frozenset({"brightness"})
    strength: int

    def __post_init__(self) -> None:
        _ = self.light

    @property
    def light(self) -> float:
        """The share of the way to white."""
        return at_strength(self.strength, (0.1, 0.3, 0.5))

    def __call__(self, images: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Corrupt images [N, C, H, W]; draws nothing."""
        from torchvision.transforms.v2 import functional as F

        negative = F.adjust_brightness(F.invert(images), 1 - self.light)
        bright: Tensor = F.invert(negative)
        return bright
