"""The handout's convolutional network. This module is free of torch until a network is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from augbench.errors import ParameterError, StudyError

if TYPE_CHECKING:
    from augbench.backbones._convnet import ConvNet

__all__ = ["SMALLEST", "convnet"]

SMALLEST = 16
"""Pixels of a side: ((16 − 4) / 2 − 4) / 2 = 1 is left after the last pooling."""


def convnet(in_channels: int, image_size: tuple[int, int], *, dropout: float = 0.5) -> ConvNet:
    """The handout's two convolutions: 256 features of a 28×28 image.

    Raises `ParameterError` (a `ValueError`) for a `dropout` outside [0, 1), and `StudyError` for
    images smaller than 16×16.
    """
    if not 0 <= dropout < 1:
        raise ParameterError(f"convnet: dropout must be in [0, 1), got {dropout}")
    height, width = image_size
    if min(height, width) < SMALLEST:
        raise StudyError(
            f"convnet needs images of at least {SMALLEST}×{SMALLEST} pixels, "
            f"got {height}×{width} (height×width)"
        )
    if in_channels < 1:
        raise StudyError(f"convnet needs images of at least 1 channel, got {in_channels}")

    from augbench.backbones._convnet import ConvNet

    return ConvNet(in_channels, (height, width), dropout=dropout)
