"""Gaussian noise, as in ImageNet-C and MNIST-C."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from augbench.corruptions.contract import at_strength

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["Noise"]


@dataclass(frozen=True)
class Noise:
    """Gaussian noise on each value of each pixel; deviation 0.08, 0.18 or 0.38 of white."""

    operations: ClassVar[frozenset[str]] = frozenset({"noise"})
    strength: int

    def __post_init__(self) -> None:
        _ = self.sigma

    @property
    def sigma(self) -> float:
        """The standard deviation as a share of white."""
        return at_strength(self.strength, (0.08, 0.18, 0.38))

    def __call__(self, images: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Corrupt images [N, C, H, W]; draws N·C·H·W values.

        The sum and clipping of torchvision's `gaussian_noise`, whose own draws would come from
        torch's global generator.
        """
        import numpy as np
        import torch

        drawn = rng.standard_normal(tuple(images.shape), dtype=np.float32)
        noise = torch.from_numpy(drawn).to(images.device) * (255 * self.sigma)
        return (images + noise).round_().clamp_(0, 255).to(torch.uint8)
