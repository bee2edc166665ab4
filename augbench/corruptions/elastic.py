"""Elastic distortion (Simard et al. 2003): an image on rubber."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from augbench.corruptions.blur import kernel_size
from augbench.corruptions.contract import at_strength

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Elastic"]

_SMOOTHNESS = 1 / 8
"""The deviation of the Gaussian that smooths the field, as a share of the shorter side; the 4
pixels that Simard et al. use on MNIST are a seventh."""


@dataclass(frozen=True)
class Elastic:
    """Pixels are moved by a smooth random field, 2, 4 or 6 % of the shorter side far (r.m.s.)."""

    operations: ClassVar[frozenset[str]] = frozenset({"elastic"})
    strength: int

    def __post_init__(self) -> None:
        _ = self.share

    @property
    def share(self) -> float:
        """The root mean square of the way in either direction, as a share of the shorter side."""
        return at_strength(self.strength, (0.02, 0.04, 0.06))

    def __call__(self, images: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Corrupt images [N, C, H, W]; draws 2·N·H·W values."""
        import torch
        from torchvision.transforms.v2 import functional as F

        height, width = images.shape[-2:]
        drawn = self.field(len(images), height, width, rng)
        field = torch.from_numpy(drawn).to(images.device)  # [N, H, W, 2]
        return torch.stack(
            [
                F.elastic(image, displacement[None])
                for image, displacement in zip(images, field, strict=True)
            ]
        )

    def field(
        self, count: int, height: int, width: int, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Draw displacements float32 [N, H, W, 2], along the width and the height.

        As torchvision's `elastic` wants them: the image reaches from −1 to 1 in both directions.
        """
        import torch
        from torchvision.transforms.v2 import functional as F

        shorter = min(height, width)
        sigma = _SMOOTHNESS * shorter
        size = kernel_size(sigma, shorter)
        noise = torch.from_numpy(rng.standard_normal((count, 2, height, width), dtype=np.float32))
        # Along the width and then the height: a kernel of size² would take 50 times as long.
        smooth = F.gaussian_blur(noise, [size, 1], [sigma, sigma])
        smooth = F.gaussian_blur(smooth, [1, size], [sigma, sigma])
        # White noise of deviation 1 has 1 / (2·σ·√π) once it is smoothed.
        pixels = smooth * (2 * sigma * math.sqrt(math.pi) * self.share * shorter)
        to_units = torch.tensor([2 / width, 2 / height])
        field: NDArray[np.float32] = (pixels.permute(0, 2, 3, 1) * to_units).numpy()
        return field
