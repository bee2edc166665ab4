"""JPEG: an image that was stored in too few bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from augbench.corruptions.contract import at_strength

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Jpeg"]


@dataclass(frozen=True)
class Jpeg:
    """Written as JPEG of quality 25, 10 or 4, and read again."""

    operations: ClassVar[frozenset[str]] = frozenset({"compression"})
    strength: int

    def __post_init__(self) -> None:
        _ = self.quality

    @property
    def quality(self) -> int:
        """The quality in the scale of libjpeg, 1 … 100."""
        return int(at_strength(self.strength, (25, 10, 4)))

    def __call__(self, images: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Corrupt images [N, C, H, W] of 1 or 3 channels; draws nothing.

        By Pillow, as ImageNet-C's are: torchvision's own encoder is to be removed.
        """
        import torch

        stored = [_through_jpeg(image, self.quality) for image in images.cpu().numpy()]
        return torch.from_numpy(np.stack(stored)).to(images.device)


def _through_jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Write and read one image [C, H, W]."""
    from PIL import Image

    if len(image) not in (1, 3):
        raise ValueError(f"JPEG takes images of 1 or 3 channels, got {len(image)}")
    pixels = image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    read = np.asarray(Image.open(file))  # [H, W] or [H, W, 3]
    return read[None] if read.ndim == 2 else read.transpose(2, 0, 1)
