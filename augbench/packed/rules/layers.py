"""The packing rules of torch's layers, convolutions and normalisations apart; see `rules.py`.

A layer of torch's without any rule is done to each cell's value, see `eachlayer.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augbench.packed import ops
from augbench.packed.dropout import StreamDropout, StreamDropPath
from augbench.packed.masks import Masks
from augbench.packed.rules.convolutions import pair
from augbench.packed.rules.other_layers import each_layer
from augbench.packed.rules.registry import rule, stack_into
from augbench.packed.values import PerCell, cell_first, each_cell, packed

__all__ = ["WideDropout", "WideMaxPool2d", "to_vectors"]


# Layers that act on each channel, or on each value, alone: one copy serves every cell.


@rule(
    nn.Identity,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Softplus,
    nn.Softsign,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.Hardtanh,
    nn.Hardshrink,
    nn.LogSigmoid,
    nn.Sigmoid,
    nn.Softshrink,
    nn.Tanh,
    nn.Tanhshrink,
    nn.Threshold,
    nn.PixelShuffle,
    nn.PixelUnshuffle,
)
def elementwise(layers: Sequence[nn.Module]) -> nn.Module:
    """A function of each value alone, or of channels of a cell that stay together."""
    return copy.deepcopy(layers[0])


@rule(
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.LPPool2d,
    nn.CircularPad2d,
    nn.ConstantPad2d,
    nn.ReflectionPad2d,
    nn.ReplicationPad2d,
    nn.ZeroPad2d,
    nn.Upsample,
    nn.UpsamplingBilinear2d,
    nn.UpsamplingNearest2d,
)
def per_channel(layers: Sequence[nn.Module]) -> nn.Module:
    """A function of each channel of a map alone."""
    return PerChannel(layers[0])


class PerChannel(nn.Module):
    """A layer that treats images and channels alike."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = copy.deepcopy(layer)

    def forward(self, x: Tensor | PerCell) -> Any:
        """Apply it to [B, K·C, H, W]."""
        if not isinstance(x, Tensor):
            return each_cell(len(x.values), self.layer, x)
        # Seen by its channels, a map in planes is one in channels_last: torch's layers are fast.
        y: Tensor = self.layer(x.transpose(0, 1))
        return y.transpose(0, 1)


class WideMaxPool2d(nn.MaxPool2d):
    """Maximum over windows of each channel alone."""

    def forward(self, x: Tensor | PerCell) -> Any:
        """Pool [B, K·C, H, W]."""
        if not isinstance(x, Tensor):
            return each_cell(len(x.values), super().forward, x)
        y = None if self.windows is None else ops.max_pool(x, self.windows)
        return super().forward(x.transpose(0, 1)).transpose(0, 1) if y is None else y

    @property
    def windows(self) -> tuple[int, int] | None:
        """Their size, if they touch and do not overlap."""
        size, stride, padding, dilation = map(
            pair, (self.kernel_size, self.stride, self.padding, self.dilation)
        )
        plain = size == stride and padding == (0, 0) and dilation == (1, 1) and not self.ceil_mode
        return size if plain else None


@rule(nn.MaxPool2d)
def max_pool2d(layers: Sequence[nn.MaxPool2d]) -> nn.Module:
    """Cells are channels like any other."""
    one = layers[0]
    if one.return_indices:
        return each_layer(layers)
    return WideMaxPool2d(
        one.kernel_size, one.stride, one.padding, one.dilation, ceil_mode=one.ceil_mode
    )


# Layers with parameters.


class WidePReLU(nn.Module):
    """K rectifiers with slopes [K·C], one per channel, or [K], one per cell."""

    def __init__(self, layers: Sequence[nn.PReLU]) -> None:
        super().__init__()
        self.cells = len(layers)
        self.weight = nn.Parameter(layers[0].weight.detach().repeat(self.cells))
        stack_into(self, layers)

    def forward(self, x: Tensor | PerCell) -> Any:
        """Maps, vectors, or others, whose channels are the second dimension."""
        slopes = self.weight.view(self.cells, -1)  # [K, C] or [K, 1]
        if not isinstance(x, Tensor):
            return each_cell(self.cells, F.prelu, x, PerCell(slopes))
        if x.ndim == 3:
            return torch.where(x > 0, x, x * slopes)
        return F.prelu(x, slopes.expand(-1, x.shape[1] // self.cells).reshape(-1))


@rule(nn.PReLU)
def prelu(layers: Sequence[nn.PReLU]) -> nn.Module:
    """Each cell's channels have its own slopes."""
    return WidePReLU(layers)


class WideLinear(nn.Module):
    """K linear layers as one batched product: vectors [B, K, D] → [B, K, D']."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        one, cells = layers[0], len(layers)
        weight, bias = one.weight.detach(), one.bias
        self.weight = nn.Parameter(weight.new_empty(cells, *weight.shape))  # [K, D', D]
        self.bias = nn.Parameter(bias.new_empty(cells, len(bias))) if bias is not None else None
        stack_into(self, layers)

    def forward(self, x: Tensor | PerCell) -> Any:
        """Apply cell k's layer to x[:, k], or to the last dimension of what else x may be."""
        if not isinstance(x, Tensor) or x.ndim != 3:
            values = cell_first(len(self.weight), x)  # [K, …, D]
            rows = values.reshape(len(values), -1, values.shape[-1])
            made = self(rows.transpose(0, 1)).transpose(0, 1)  # [K, rows, D']
            return packed(made.reshape(*values.shape[:-1], -1))
        x, weight = x.transpose(0, 1), self.weight.transpose(1, 2)  # [K, B, D], [K, D, D']
        if self.bias is None:
            return torch.bmm(x, weight).transpose(0, 1)
        return torch.baddbmm(self.bias[:, None], x, weight).transpose(0, 1)


@rule(nn.Linear)
def linear(layers: Sequence[nn.Linear]) -> nn.Module:
    """Cells become the batch of a batched matrix product."""
    return WideLinear(layers)


class WideDropout(nn.Module):
    """K stream dropouts."""

    def __init__(self, layers: Sequence[StreamDropout]) -> None:
        super().__init__()
        self.cells, self.masks = len(layers), Masks(layers)

    def forward(self, x: Tensor | PerCell) -> Any:
        """Mask maps [B, K·C, H, W], vectors [B, K, D] or others."""
        if not self.training or self.masks.p == 0:
            return x
        if not isinstance(x, Tensor):
            masks = self.masks.take(x.values, tuple(x.values.shape[1:]), _masks_of_others)
            return PerCell(x.values * masks)
        if x.ndim == 3:
            return x * self.masks.take(x, (len(x), x.shape[2]), _masks_of_vectors)
        shape = (len(x), x.shape[1] // self.cells, *x.shape[2:])
        # In planes, whatever the maps are: [S, K·C, …, B] in memory.
        return x * self.masks.take(x, shape, partial(_masks_of_maps, shape[1]))


def _masks_of_others(masks: Tensor) -> Tensor:
    """[K, S, …] → [S, K, …]."""
    return masks.transpose(0, 1).contiguous()


def _masks_of_vectors(masks: Tensor) -> Tensor:
    """[K, S, B, D] → [S, B, K, D]."""
    return masks.permute(1, 2, 0, 3).contiguous()


def _masks_of_maps(channels: int, masks: Tensor) -> Tensor:
    """[K, S, B, C, H, W] → [S, B, K·C, H, W], in planes."""
    masks = masks.expand(-1, -1, -1, channels, -1, -1)  # one for all of them, of an image
    planes = masks.permute(1, 0, 3, 4, 5, 2).contiguous()  # [S, K, C, H, W, B]
    return planes.flatten(1, 2).permute(0, 4, 1, 2, 3)


@rule(StreamDropout, StreamDropPath)
def dropout(layers: Sequence[StreamDropout]) -> nn.Module:
    """Each cell keeps its own stream."""
    return WideDropout(layers)


@rule(nn.Flatten)
def flatten(layers: Sequence[nn.Flatten]) -> nn.Module:
    """Maps become vectors."""
    one = layers[0]
    if one.start_dim != 1 or one.end_dim not in (-1, 3):
        return each_layer(layers)
    return WideFlatten(len(layers), one.end_dim)


class WideFlatten(nn.Module):
    """Maps [B, K·C, H, W] → vectors [B, K, C·H·W]; vectors stay as they are."""

    def __init__(self, cells: int, end_dim: int) -> None:
        super().__init__()
        self.cells, self.end_dim = cells, end_dim

    def forward(self, x: Tensor | PerCell) -> Any:
        """Lay out each cell's values as its own flatten does."""
        if not isinstance(x, Tensor):
            return each_cell(self.cells, torch.flatten, x, 1, self.end_dim)
        return to_vectors(self.cells, x)


def to_vectors(cells: int, x: Tensor) -> Tensor:
    """Maps [B, K·C, H, W] → vectors [B, K, C·H·W]; vectors stay as they are."""
    if x.ndim == 3:
        return x
    if ops.prefers_batch_last(x):
        return ops.batch_last(x).reshape(cells, -1, len(x)).permute(2, 0, 1)
    return x.reshape(len(x), cells, -1)
