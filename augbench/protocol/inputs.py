"""Conversion of stored bytes to a network's inputs: one place, for every engine and picture."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["network_inputs"]


def network_inputs(images: Tensor) -> Tensor:
    """Convert uint8 images to [0, 1], of the same shape and memory format.

    Their number type is torch's default, float32, as is that of new networks. Labels, dropout
    masks and heads follow: under `torch.set_default_dtype(torch.float64)`, a whole training runs
    in double precision.
    """
    return images.to(torch.get_default_dtype()).div_(255)
