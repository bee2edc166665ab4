"""Conversion of stored bytes to a network's inputs: one place, for every engine and picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Normalized", "channel_statistics", "network_inputs"]


def network_inputs(images: Tensor) -> Tensor:
    """Convert uint8 images to [0, 1], of the same shape and memory format.

    Their number type is torch's default, float32, as is that of new networks. Labels, dropout
    masks and heads follow: under `torch.set_default_dtype(torch.float64)`, a whole training runs
    in double precision.
    """
    return images.to(torch.get_default_dtype()).div_(255)


def channel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [C] of each channel of uint8 images [N, C, H, W], as in [0, 1].

    Both are taken over all pixels of all images. A deviation below one grey level, 1/255, counts
    as one, so that a channel that hardly varies is not blown up. No images have mean 0 and
    deviation 1, which change nothing.
    """
    channels = images.shape[1]
    if not len(images):
        return torch.zeros(channels), torch.ones(channels)
    levels = torch.arange(256, dtype=torch.float64) / 255
    # Counts of the 256 levels are exact, and small.
    pixels = images.transpose(0, 1).flatten(1)  # [C, N·H·W]
    counts = torch.stack([torch.bincount(one, minlength=256) for one in pixels]).cpu()
    shares = counts / counts.sum(1, keepdim=True, dtype=torch.float64)  # [C, 256]
    mean = shares @ levels
    deviation = (shares * (levels - mean[:, None]).square()).sum(1).sqrt().clamp(min=1 / 255)
    kind = torch.get_default_dtype()
    return mean.to(kind), deviation.to(kind)


class Normalized(nn.Module):
    """A backbone behind the normalisation of its images, which come in [0, 1].

    As a part of the network, it holds wherever the network sees images: in both trainings, in
    measuring, and where an augmentation asks for gradients of the images.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, backbone: nn.Module, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.backbone = backbone
        self.feature_dim = backbone.feature_dim
        # Buffers: each network of a pack has its own.
        self.register_buffer("mean", mean.view(-1, 1, 1))
        self.register_buffer("deviation", deviation.view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Features [N, D] of images [N, C, H, W]."""
        features: Tensor = self.backbone((images - self.mean) / self.deviation)
        return features
