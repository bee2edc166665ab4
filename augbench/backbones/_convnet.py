"""The layers of `convnet`; apart from it, so that listing backbones never imports torch."""

from __future__ import annotations

from torch import nn

__all__ = ["ConvNet"]


class ConvNet(nn.Sequential):
    """Images [N, C, H, W] → features [N, 16·h·w], with h and w as `_pooled` computes them.

    A plain sequence, so that an engine can read it layer by layer.
    """

    def __init__(self, in_channels: int, image_size: tuple[int, int], *, dropout: float) -> None:
        super().__init__(
            nn.Conv2d(in_channels, 8, kernel_size=5),  # [N, 8, H − 4, W − 4]
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(8, 16, kernel_size=5),
            nn.Dropout2d(dropout),
            nn.MaxPool2d(2),  # [N, 16, h, w]
            nn.ReLU(),
            nn.Flatten(),  # [N, 16·h·w]
        )
        height, width = image_size
        self.feature_dim = 16 * _pooled(height) * _pooled(width)


def _pooled(side: int) -> int:
    """Return a side's length after two rounds of a 5×5 convolution and a 2×2 pooling."""
    return ((side - 4) // 2 - 4) // 2
