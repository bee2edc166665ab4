"""The packing rules of torch's normalisations; see `rules.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augbench.engines import planes
from augbench.engines.rules import UnpackableError, rule, stack_into

__all__ = ["WideBatchNorm2d"]


def _normalizing(kind: Callable[..., nn.Module], layers: Sequence[Any]) -> nn.Module:
    """A layer of one kind of normalisation over the channels of all cells."""
    one = layers[0]
    wide = kind(
        len(layers) * one.num_features, one.eps, one.momentum, one.affine, one.track_running_stats
    )
    return stack_into(wide, layers)


@rule(nn.BatchNorm2d)
def batch_norm(layers: Sequence[nn.BatchNorm2d]) -> nn.Module:
    """Statistics are taken over each channel, hence over each cell, alone."""
    return _normalizing(WideBatchNorm2d, layers)


class WideBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation of maps [B, K·C, H, W]."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each of the K·C channels."""
        if not self.training and self.running_mean is not None and planes.preferred(x):
            factor, shift = (value.view(-1, 1, 1) for value in self.in_use())
            return torch.addcmul(shift, x, factor)
        y = self.in_planes(x)
        if y is not None:
            return y
        if not planes.preferred(x):
            return super().forward(x)
        maps = planes.planes_of(x)  # [K·C, H, W, B], to torch one image of B times the columns
        return planes.in_planes(super().forward(maps.flatten(2)[None])[0].view_as(maps))

    def in_planes(
        self, x: Tensor, *, shortcut: Tensor | None = None, rectify: bool = False
    ) -> Tensor | None:
        """Normalise by the batch, add a `shortcut`, `rectify`; None if the kernels cannot."""
        if not self.training or self.momentum is None or len(x) * x.shape[2] * x.shape[3] < 2:
            return None
        running = None
        if self.running_mean is not None:
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            running = self.running_mean, self.running_var, self.num_batches_tracked
        return planes.batch_norm(
            *(x, self.weight, self.bias, self.eps),
            running=running,
            momentum=self.momentum,
            shortcut=shortcut,
            rectify=rectify,
        )

    def in_use(self) -> tuple[Tensor, Tensor]:
        """What a frozen normalisation multiplies each channel by, and then adds to it."""
        assert self.running_mean is not None
        assert self.running_var is not None
        factor = (self.running_var + self.eps).rsqrt()
        factor = factor if self.weight is None else factor * self.weight
        shift = -self.running_mean * factor
        return factor, shift if self.bias is None else shift + self.bias


class WideBatchNorm1d(nn.BatchNorm1d):
    """Batch normalisation of vectors [B, K, D]."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each of the K·D features over the batch."""
        return super().forward(x.flatten(1)).view_as(x)


@rule(nn.BatchNorm1d)
def batch_norm_of_vectors(layers: Sequence[nn.BatchNorm1d]) -> nn.Module:
    """As `batch_norm`, on vectors."""
    return _normalizing(WideBatchNorm1d, layers)


@rule(nn.InstanceNorm2d)
def instance_norm(layers: Sequence[nn.InstanceNorm2d]) -> nn.Module:
    """Statistics are taken over each image's channel alone."""
    assert layers[0].momentum is not None  # the constructor takes no None
    return _normalizing(nn.InstanceNorm2d, layers)


@rule(nn.GroupNorm)
def group_norm(layers: Sequence[nn.GroupNorm]) -> nn.Module:
    """K times the groups over K times the channels: no group reaches into another cell."""
    one, cells = layers[0], len(layers)
    wide = WideGroupNorm(cells * one.num_groups, cells * one.num_channels, one.eps, one.affine)
    return stack_into(wide, layers)


class WideGroupNorm(nn.GroupNorm):
    """Group normalisation of maps; vectors [B, K, D] are maps of one pixel."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each group of each cell."""
        return super().forward(x.flatten(1)).view_as(x) if x.ndim == 3 else super().forward(x)


class WideLayerNorm(nn.Module):
    """K layer normalisations over whole vectors [B, K, D] or whole maps [B, K·C, H, W]."""

    weight: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(self, layers: Sequence[nn.LayerNorm]) -> None:
        super().__init__()
        one, self.cells = layers[0], len(layers)
        self.shape, self.eps = one.normalized_shape, one.eps
        for name in ("weight", "bias"):
            value = getattr(one, name, None)
            wide = None if value is None else value.detach().new_empty(self.cells, *value.shape)
            self.register_parameter(name, None if wide is None else nn.Parameter(wide))
        stack_into(self, layers)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each cell's part of each image."""
        if x.ndim != 3 and len(self.shape) != 3:
            raise UnpackableError("LayerNorm over some of the dimensions of a map")
        parts = x if x.ndim == 3 else x.unflatten(1, (self.cells, -1))  # [B, K, …]
        parts = F.layer_norm(parts, self.shape, eps=self.eps)
        if self.weight is not None:
            parts = parts * self.weight
        if self.bias is not None:
            parts = parts + self.bias
        return parts if x.ndim == 3 else parts.flatten(1, 2)


@rule(nn.LayerNorm)
def layer_norm(layers: Sequence[nn.LayerNorm]) -> nn.Module:
    """Normalised cell by cell, then scaled by each cell's own weights."""
    return WideLayerNorm(layers)
