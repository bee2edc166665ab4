"""Gaussian blur: an image out of focus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from augbench.corruptions.contract import at_strength

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["Blur", "kernel_size"]


@dataclass(frozen=True)
class Blur:
    """Gaussian blur; deviation 2, 4 or 6 % of the image's shorter side."""

    operations: ClassVar[frozenset[str]] = frozenset({"blur"})
    strength: int

    def __post_init__(self) -> None:
        _ = self.share

    @property
    def share(self) -> float:
        """The Gaussian's standard deviation as a share of the shorter side."""
        return at_strength(self.strength, (0.02, 0.04, 0.06))

    def __call__(self, images: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Corrupt images [N, C, H, W]; draws nothing."""
        from torchvision.transforms.v2 import functional as F

        shorter = min(images.shape[-2:])
        sigma = self.share * shorter
        size = kernel_size(sigma, shorter)
        blurred: Tensor = F.gaussian_blur(images, [size, size], [sigma, sigma])
        return blurred


def kernel_size(sigma: float, shorter: int) -> int:
    """Return an odd size of four deviations to either side, at most what an image can reflect."""
    half = min(round(4 * sigma), shorter - 1)
    return 2 * max(half, 1) + 1
