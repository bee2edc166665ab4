"""The layers of `cifar_resnet`; apart from it, so that listing backbones never imports torch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["CifarResNet"]


class _Block(nn.Module):
    """Two 3×3 convolutions and a shortcut without parameters (the paper's option A)."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(width_in, width, stride)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 1)
        self.norm2 = nn.BatchNorm2d(width)
        self.stride, self.added = stride, width - width_in

    def forward(self, x: Tensor) -> Tensor:
        """From [N, C, H, W] to [N, width, H / stride, W / stride]."""
        inner = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        shortcut = x[:, :, :: self.stride, :: self.stride]
        return F.relu(inner + F.pad(shortcut, (0, 0, 0, 0, 0, self.added)))


class _Mean(nn.Module):
    """The mean over all positions."""

    def forward(self, x: Tensor) -> Tensor:
        """From [N, C, H, W] to [N, C]."""
        return x.mean(dim=(2, 3))


class CifarResNet(nn.Sequential):
    """Images [N, C, H, W] → features [N, 64]: 6·blocks + 1 convolutions, then the mean."""

    def __init__(self, in_channels: int, blocks: int) -> None:
        layers: list[nn.Module] = [
            _convolution(in_channels, 16, 1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
        ]
        width_in = 16
        for width in (16, 32, 64):
            for block in range(blocks):
                halve = block == 0 and width > 16
                layers.append(_Block(width_in, width, stride=2 if halve else 1))
                width_in = width
        super().__init__(*layers, _Mean())
        self.feature_dim = width_in


def _convolution(width_in: int, width: int, stride: int) -> nn.Conv2d:
    """3×3, without a bias, which the normalisation after it would undo."""
    convolution = nn.Conv2d(width_in, width, kernel_size=3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution
