"""Batch normalisation of maps in planes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from augbench.packed.ops.layout import (
    BITS,
    alike,
    call,
    in_planes,
    kernels,
    new_map,
    planes_of,
    usable,
)

__all__ = ["batch_norm"]


def batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    *,
    running: tuple[Tensor, Tensor, Tensor] | None = None,
    momentum: float = 0.0,
    shortcut: Tensor | None = None,
    rectify: bool = False,
) -> Tensor | None:
    """A map normalised over batch, height and width; None if the kernels cannot do it.

    The `running` mean and unbiased variance [M] follow with the given `momentum`, and the third of
    them, an int64, counts how often. A `shortcut` of the map's shape is added then; with `rectify`,
    at last only the positive part is kept.
    """
    channels = x.shape[1]
    weight = x.new_ones(channels) if weight is None else weight
    bias = x.new_zeros(channels) if bias is None else bias
    values = [weight, bias, *(running or ())[:2]]
    if not (usable(x) and all(alike(value, x, channels) for value in values)):
        return None
    if shortcut is not None and (shortcut.shape != x.shape or not alike(shortcut, x, len(x))):
        return None
    how = _How(eps, running, momentum, rectify)
    made: Tensor = _BatchNorm.apply(x, weight, bias, shortcut, how)
    return made


class _How(NamedTuple):
    eps: float
    running: tuple[Tensor, Tensor, Tensor] | None
    momentum: float
    rectify: bool


class _BatchNorm(torch.autograd.Function):
    """Map [B, M, H, W], weight and bias [M], perhaps a shortcut like the map → map, in planes."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, shortcut: Tensor | None, how: _How
    ) -> Tensor:
        x, weight, bias = planes_of(x), weight.contiguous(), bias.contiguous()
        out, values = new_map(x, *x.shape), x[0].numel()
        mean, inverse = x.new_empty(2, len(x))
        unbiased = values / (values - 1) if values > 1 else math.nan
        constants, running = x.new_tensor([how.eps, how.momentum, unbiased]), how.running
        also = () if shortcut is None else (planes_of(shortcut),)
        call(
            kernels().normalize(running is not None, bool(also), how.rectify, BITS[x.dtype]),
            *(out, mean, inverse, x, weight, bias, constants),
            *(*(running or ()), *also, len(x), values),
        )
        # Another output may be changed in place by what follows; nothing of it is needed later.
        kept = [out] if how.rectify and also else []
        ctx.save_for_backward(x, mean, inverse, weight, bias, *kept)
        ctx.rectify, ctx.added = how.rectify, bool(also)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, inverse, weight, bias, *kept = ctx.saved_tensors
        slopes = planes_of(slopes)
        own_x, own_weight, own_bias = (
            new_map(x, *x.shape),
            torch.empty_like(weight),
            torch.empty_like(weight),
        )
        # What was added and not rectified has the slopes themselves as its gradient.
        own_shortcut = in_planes(slopes) if ctx.added else None
        also: list[Tensor] = []
        if kept:
            own_shortcut = new_map(x, *x.shape)
            also = [own_shortcut, *kept]
        call(
            kernels().normalize_gradient(bool(also), ctx.rectify, BITS[x.dtype]),
            *(own_x, own_weight, own_bias, slopes, x, mean, inverse, weight, bias, *also),
            *(len(x), x[0].numel()),
        )
        return own_x, own_weight, own_bias, own_shortcut, None
