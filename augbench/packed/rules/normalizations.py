"""The packing rules of torch's normalisations; see `registry.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augbench.packed import ops
from augbench.packed.rules.registry import function_rule, rule, stack_into
from augbench.packed.values import PerCell, cell_first, each_cell, is_map, packed, shape_of

__all__ = ["WideBatchNorm2d"]


def _normalizing(kind: Callable[..., Any], layers: Sequence[Any]) -> nn.Module:
    """A layer of one kind of normalisation over the channels of all cells."""
    one = layers[0]
    wide: Any = kind(
        len(layers) * one.num_features, one.eps, one.momentum, one.affine, one.track_running_stats
    )
    wide.cells = len(layers)
    stack_into(wide, layers)
    made: nn.Module = wide
    return made


@rule(nn.BatchNorm2d)
def batch_norm(layers: Sequence[nn.BatchNorm2d]) -> nn.Module:
    """Statistics are taken over each channel, hence over each cell, alone."""
    return _normalizing(WideBatchNorm2d, layers)


class _WideBatchNorm(nn.BatchNorm2d):
    """Batch normalisation of maps [B, K·C, H, W]."""

    cells: int

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each of the K·C channels."""
        if not self.training and self.running_mean is not None and ops.prefers_batch_last(x):
            factor, shift = (value.view(-1, 1, 1) for value in self.in_use())
            return torch.addcmul(shift, x, factor)
        y = self.map_of(x)
        if y is not None:
            return y
        if not ops.prefers_batch_last(x):
            return super().forward(x)
        maps = ops.batch_last(x)  # [K·C, H, W, B], to torch one image of B times the columns
        return ops.map_of(super().forward(maps.flatten(2)[None])[0].view_as(maps))

    def map_of(
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
        return ops.batch_norm(
            *(x, self.weight, self.bias, self.eps),
            running=running,
            momentum=self.momentum,
            shortcut=shortcut,
            rectify=rectify,
        )

    def in_use(self) -> tuple[Tensor, Tensor]:
        """The factor of each channel in a frozen normalisation, and the number added after it."""
        assert self.running_mean is not None
        assert self.running_var is not None
        factor = (self.running_var + self.eps).rsqrt()
        factor = factor if self.weight is None else factor * self.weight
        shift = -self.running_mean * factor
        return factor, shift if self.bias is None else shift + self.bias


class WideBatchNorm2d(_WideBatchNorm):
    """Batch normalisation that was of maps already, and may be fused with what is beside it."""


class WideBatchNorm1d(_WideBatchNorm):
    """Batch normalisation of vectors [B, K, D], which are maps of one pixel; or of [B, C, L]."""

    def forward(self, x: Tensor | PerCell) -> Any:
        """Normalise each of the K·D features over the batch."""
        if isinstance(x, Tensor):
            return super().forward(x.flatten(1)[..., None, None]).view_as(x)
        merged = _merged(x.values)
        return _apart(len(x.values), super().forward(merged[..., None])[..., 0])


def _merged(values: Tensor) -> Tensor:
    """Values [K, B, C, …] as [B, K·C, …]."""
    return values.movedim(0, 1).flatten(1, 2)


def _apart(cells: int, merged: Tensor) -> Tensor | PerCell:
    """Values [B, K·C, …] in the form in which they travel."""
    return packed(merged.unflatten(1, (cells, -1)).movedim(1, 0))


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
    wide.cells = cells
    return stack_into(wide, layers)


class WideGroupNorm(nn.GroupNorm):
    """Group normalisation of maps; vectors [B, K, D] are maps of one pixel."""

    cells: int

    def forward(self, x: Tensor | PerCell) -> Any:
        """Normalise each group of each cell."""
        if not isinstance(x, Tensor):
            return _apart(self.cells, super().forward(_merged(x.values)))
        return super().forward(x.flatten(1)).view_as(x) if x.ndim == 3 else super().forward(x)


class WideLayerNorm(nn.Module):
    """K layer normalisations over the last dimensions of vectors, maps or others."""

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

    def forward(self, x: Tensor | PerCell) -> Any:
        """Normalise the last dimensions of each cell's value."""
        values = cell_first(self.cells, x)
        values = F.layer_norm(values, self.shape, eps=self.eps)
        between = [1] * (values.ndim - 1 - len(self.shape))  # which the weights do not have
        if self.weight is not None:
            values = values * self.weight.view(self.cells, *between, *self.shape)
        if self.bias is not None:
            values = values + self.bias.view(self.cells, *between, *self.shape)
        return packed(values)


@rule(nn.LayerNorm)
def layer_norm(layers: Sequence[nn.LayerNorm]) -> nn.Module:
    """Normalised cell by cell, then scaled by each cell's own weights."""
    return WideLayerNorm(layers)


@function_rule(F.batch_norm)
def batch_norm_by_function(
    cells: int,
    x: Tensor | PerCell,
    running_mean: Tensor | PerCell | None,
    running_var: Tensor | PerCell | None,
    weight: Tensor | PerCell | None = None,
    bias: Tensor | PerCell | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Batch normalisation as layers that are not torch's own call it, timm's among them."""
    values = running_mean, running_var, weight, bias
    shape = shape_of(cells, x)
    if len(shape) > 4:
        return each_cell(cells, F.batch_norm, x, *values, training, momentum, eps)
    of_all = [None if one is None else cell_first(cells, one).reshape(-1) for one in values]
    kind = _OfFunction if is_map(x) else _OfFunction1d
    return kind(cells, cells * shape[1], eps, momentum, of_all).train(training)(x)


class _OfFunction(_WideBatchNorm):
    """A layer of given statistics and factors, for one call."""

    def __init__(
        self,
        cells: int,
        channels: int,
        eps: float,
        momentum: float,
        values: Sequence[Tensor | None],
    ) -> None:
        super().__init__(channels, eps, momentum, affine=False, track_running_stats=False)
        self.cells = cells
        mean, variance, weight, bias = values
        counter = None if mean is None else torch.zeros((), dtype=torch.int64, device=mean.device)
        given = {"running_mean": mean, "running_var": variance, "num_batches_tracked": counter}
        for name, value in {**given, "weight": weight, "bias": bias}.items():
            self._parameters.pop(name, None)
            self._buffers.pop(name, None)
            object.__setattr__(self, name, value)


class _OfFunction1d(_OfFunction, WideBatchNorm1d):
    """A layer of given statistics and factors for vectors, and for [B, C, L]."""
