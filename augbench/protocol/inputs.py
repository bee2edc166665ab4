"""How stored bytes become what a network sees: the one place, for every engine and picture."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["network_inputs"]


def network_inputs(images: Tensor) -> Tensor:
    """uint8 images to float32 in [0, 1], of the same shape and memory format."""
    return images.to(torch.float32).div_(255)
