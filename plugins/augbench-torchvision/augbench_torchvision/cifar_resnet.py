"""The small residual network for CIFAR-10 of He et al. 2015 (arXiv 1512.03385, section 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from augbench.errors import ParameterError

if TYPE_CHECKING:
    from augbench_torchvision._cifar_resnet import CifarResNet

__all__ = ["cifar_resnet"]


def cifar_resnet(in_channels: int, image_size: tuple[int, int], *, depth: int = 20) -> CifarResNet:
    """64 features; `depth` is 6n + 2 layers: 8, 14, 20, 32, 44, 56 or 110 in the paper and here."""
    if depth < 8 or (depth - 2) % 6:
        raise ParameterError(f"cifar-resnet: depth must be 6n + 2 (8, 14, 20, …), got {depth}")

    from augbench_torchvision._cifar_resnet import CifarResNet

    return CifarResNet(in_channels, blocks=(depth - 2) // 6)
