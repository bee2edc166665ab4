"""The packing rules of torch's own layers, normalisations apart; see `rules.py`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from augbench.engines import planes
from augbench.engines.columns import convolve
from augbench.engines.masks import Masks
from augbench.engines.rules import UnpackableError, rule, stack_into
from augbench.protocol.dropout import StreamDropout

__all__ = ["WideConv2d", "WideDropout", "WideMaxPool2d", "to_vectors"]


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
    nn.Sigmoid,
    nn.Tanh,
)
def elementwise(layers: Sequence[nn.Module]) -> nn.Module:
    """A function of each value alone."""
    return copy.deepcopy(layers[0])


@rule(
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.ZeroPad2d,
    nn.ReflectionPad2d,
    nn.ReplicationPad2d,
)
def per_channel(layers: Sequence[nn.Module]) -> nn.Module:
    """A function of each channel of a map alone."""
    return PerChannel(layers[0])


class PerChannel(nn.Module):
    """A layer that treats images and channels alike."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = copy.deepcopy(layer)

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to [B, K·C, H, W]."""
        # Seen by its channels, a map in planes is one in channels_last: torch's layers are fast.
        y: Tensor = self.layer(x.transpose(0, 1))
        return y.transpose(0, 1)


class WideMaxPool2d(nn.MaxPool2d):
    """Maximum over windows of each channel alone."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool [B, K·C, H, W]."""
        y = None if self.windows is None else planes.max_pool(x, self.windows)
        return super().forward(x.transpose(0, 1)).transpose(0, 1) if y is None else y

    @property
    def windows(self) -> tuple[int, int] | None:
        """Their size, if they touch and do not overlap."""
        size, stride, padding, dilation = map(
            _pair, (self.kernel_size, self.stride, self.padding, self.dilation)
        )
        plain = size == stride and padding == (0, 0) and dilation == (1, 1) and not self.ceil_mode
        return size if plain else None


@rule(nn.MaxPool2d)
def max_pool2d(layers: Sequence[nn.MaxPool2d]) -> nn.Module:
    """Cells are channels like any other."""
    one = layers[0]
    if one.return_indices:
        raise UnpackableError("MaxPool2d that returns indices")
    return WideMaxPool2d(
        one.kernel_size, one.stride, one.padding, one.dilation, ceil_mode=one.ceil_mode
    )


def _pair(size: Any) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    return height, width


# Layers with parameters.


class WideConv2d(nn.Conv2d):
    """K convolutions as the groups of one; of images that all cells share, a single one."""

    def __init__(self, layers: Sequence[nn.Conv2d]) -> None:
        one, cells = layers[0], len(layers)
        super().__init__(
            cells * one.in_channels,
            cells * one.out_channels,
            one.kernel_size,  # type: ignore[arg-type]
            one.stride,  # type: ignore[arg-type]
            one.padding,  # type: ignore[arg-type]
            one.dilation,  # type: ignore[arg-type]
            cells * one.groups,
            one.bias is not None,
            one.padding_mode,
        )
        self.cells = cells
        self.takes_shared = one.groups == 1
        stack_into(self, layers)

    def forward(self, x: Tensor) -> Tensor:
        """[B, K·C, H, W], or [B, C, H, W] shared by the cells → [B, K·C', H', W']."""
        y = self.in_planes(x, self.weight, self.bias)
        if y is not None:
            return y
        on_a_gpu = planes.preferred(x) and not planes.usable(x)
        if on_a_gpu and self.padding_mode == "zeros" and self.padding != "same":
            dilation = _pair(self.dilation)
            return convolve(x, self.weight, self.bias, dilation=dilation, **self._how(x))
        groups, self.groups = self.groups, self._groups(x)
        try:
            return super().forward(planes.channels_last(x))
        finally:
            self.groups = groups

    def in_planes(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        *,
        pool: tuple[int, int] | None = None,
        shortcut: Tensor | None = None,
        rectify: bool = False,
    ) -> Tensor | None:
        """As `planes.convolve`: None if the kernels cannot do it."""
        if not self._known_to_kernels:
            return None
        return planes.convolve(
            *(x, weight, bias), pool=pool, shortcut=shortcut, rectify=rectify, **self._how(x)
        )

    def and_pass(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The convolution, and the map again; see `planes.convolve_and_pass`."""
        both = None
        if self._known_to_kernels:
            both = planes.convolve_and_pass(x, self.weight, self.bias, **self._how(x))
        return (self(x), x) if both is None else both

    @property
    def _known_to_kernels(self) -> bool:
        return self.padding_mode == "zeros" and self.dilation == (1, 1) and self.padding != "same"

    def _how(self, x: Tensor) -> dict[str, Any]:
        """What both kinds of convolution in planes are told."""
        padding = (0, 0) if self.padding == "valid" else _pair(self.padding)
        return {"stride": _pair(self.stride), "padding": padding, "groups": self._groups(x)}

    def _groups(self, x: Tensor) -> int:
        return self.groups if x.shape[1] == self.in_channels else 1


@rule(nn.Conv2d)
def conv2d(layers: Sequence[nn.Conv2d]) -> nn.Module:
    """Cells become groups."""
    return WideConv2d(layers)


class WideLinear(nn.Module):
    """K linear layers as one batched product: vectors [B, K, D] → [B, K, D']."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        one, cells = layers[0], len(layers)
        weight, bias = one.weight.detach(), one.bias
        self.weight = nn.Parameter(weight.new_empty(cells, *weight.shape))  # [K, D', D]
        self.bias = nn.Parameter(bias.new_empty(cells, len(bias))) if bias is not None else None
        stack_into(self, layers)

    def forward(self, x: Tensor) -> Tensor:
        """Apply cell k's layer to x[:, k]."""
        if x.ndim != 3:
            raise UnpackableError("Linear on maps")
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

    def forward(self, x: Tensor) -> Tensor:
        """Mask maps [B, K·C, H, W] or vectors [B, K, D]."""
        if not self.training or self.masks.p == 0:
            return x
        if x.ndim == 3:
            return x * self.masks.take(x, (len(x), x.shape[2]), _masks_of_vectors)
        shape = (len(x), x.shape[1] // self.cells, *x.shape[2:])
        # In planes, whatever the maps are: [S, K·C, …, B] in memory.
        return x * self.masks.take(x, shape, _masks_of_maps)


def _masks_of_vectors(masks: Tensor) -> Tensor:
    """[K, S, B, D] → [S, B, K, D]."""
    return masks.permute(1, 2, 0, 3).contiguous()


def _masks_of_maps(masks: Tensor) -> Tensor:
    """[K, S, B, C, H, W] → [S, B, K·C, H, W], in planes."""
    planes = masks.permute(1, 0, 3, 4, 5, 2).contiguous()  # [S, K, C, H, W, B]
    return planes.flatten(1, 2).permute(0, 4, 1, 2, 3)


@rule(StreamDropout)
def dropout(layers: Sequence[StreamDropout]) -> nn.Module:
    """Each cell keeps its own stream."""
    return WideDropout(layers)


@rule(nn.Flatten)
def flatten(layers: Sequence[nn.Flatten]) -> nn.Module:
    """Maps become vectors."""
    one = layers[0]
    if one.start_dim != 1 or one.end_dim not in (-1, 3):
        raise UnpackableError("Flatten over some of the dimensions")
    return WideFlatten(len(layers))


class WideFlatten(nn.Module):
    """Maps [B, K·C, H, W] → vectors [B, K, C·H·W]; vectors stay as they are."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.cells = cells

    def forward(self, x: Tensor) -> Tensor:
        """Lay out each cell's values as its own flatten does."""
        return to_vectors(self.cells, x)


def to_vectors(cells: int, x: Tensor) -> Tensor:
    """Maps [B, K·C, H, W] → vectors [B, K, C·H·W]; vectors stay as they are."""
    if x.ndim == 3:
        return x
    if planes.preferred(x):
        return planes.planes_of(x).reshape(cells, -1, len(x)).permute(2, 0, 1)
    return x.reshape(len(x), cells, -1)
