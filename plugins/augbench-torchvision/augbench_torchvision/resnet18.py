"""ResNet-18 (He et al. 2015, arXiv 1512.03385), torchvision's, without its last layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from augbench.errors import ParameterError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["resnet18"]


def resnet18(
    in_channels: int,
    image_size: tuple[int, int],
    *,
    stem: Literal["imagenet", "small"] = "imagenet",
) -> nn.Module:
    """512 features; untrained.

    The stem "imagenet" is torchvision's: a 7×7 convolution and a pooling, each of stride 2, which
    leave a 28×28 image 7×7 positions before the first block, and one after the last. "small" is a
    3×3 convolution of stride 1 without the pooling: 28×28 and 4×4, and 16 times the
    multiplications.
    """
    from torch import nn
    from torchvision.models import resnet18 as build

    if stem not in ("imagenet", "small"):
        raise ParameterError(f"resnet18: stem must be 'imagenet' or 'small', got {stem!r}")
    network = build(weights=None)
    if stem == "small":
        network.conv1 = nn.Conv2d(in_channels, 64, kernel_size=3, padding=1, bias=False)
        network.maxpool = nn.Identity()
    elif in_channels != 3:
        network.conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
    # As torchvision initialises its own.
    nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    network.feature_dim = network.fc.in_features
    network.fc = nn.Identity()
    module: nn.Module = network
    return module
