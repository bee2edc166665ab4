"""Batch normalisation of maps in planes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from augbench.packed.ops.layout import (
    BITS,
    batch_last,
    call,
    kernels,
    kernels_serve,
    map_of,
    matches,
    new_map,
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
    if not (kernels_serve(x) and all(matches(value, x, channels) for value in values)):
        return None
    if not all(one.is_contiguous() for one in running or ()):  # they are changed where they lie
        return None
    if shortcut is not None and (shortcut.shape != x.shape or not matches(shortcut, x, len(x))):
        return None
    spec = _NormalizationSpec(eps, running, momentum, rectify)
    made: Tensor = _BatchNorm.apply(x, weight, bias, shortcut, spec)
    return made


class _NormalizationSpec(NamedTuple):
    eps: float
    running: tuple[Tensor, Tensor, Tensor] | None
    momentum: float
    rectify: bool


class _BatchNorm(torch.autograd.Function):
    """Map [B, M, H, W], weight and bias [M], perhaps a shortcut like the map → map, in planes."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        shortcut: Tensor | None,
        spec: _NormalizationSpec,
    ) -> Tensor:
        x, weight, bias = batch_last(x), weight.contiguous(), bias.contiguous()
        out, values = new_map(x, *x.shape), x[0].numel()
        mean, inverse = x.new_empty(2, len(x))
        unbiased = values / (values - 1) if values > 1 else math.nan
        constants, running = x.new_tensor([spec.eps, spec.momentum, unbiased]), spec.running
        running_mean, running_variance, counter = running or (None, None, None)
        add = shortcut is not None
        call(
            kernels().normalize(running is not None, add, spec.rectify, BITS[x.dtype]),
            out=batch_last(out),
            mean=mean,
            inverse=inverse,
            source=x,
            weight=weight,
            bias=bias,
            constants=constants,
            running_mean=running_mean,
            running_variance=running_variance,
            counter=counter,
            shortcut=None if shortcut is None else batch_last(shortcut),
            planes=len(x),
            length=values,
        )
        # Another output may be changed in place by what follows; nothing of it is needed later.
        kept = [out] if spec.rectify and add else []
        ctx.save_for_backward(x, mean, inverse, weight, bias, *kept)
        ctx.rectify, ctx.added = spec.rectify, add
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, inverse, weight, bias, *kept = ctx.saved_tensors
        slopes = batch_last(slopes)
        own_x, own_weight, own_bias = (
            new_map(x, *x.shape),
            torch.empty_like(weight),
            torch.empty_like(weight),
        )
        # What was added and not rectified has the slopes themselves as its gradient.
        own_shortcut = map_of(slopes) if ctx.added else None
        of_shortcut = out = None
        if kept:
            own_shortcut, out = new_map(x, *x.shape), batch_last(kept[0])
            of_shortcut = batch_last(own_shortcut)
        call(
            kernels().normalize_gradient(bool(kept), ctx.rectify, BITS[x.dtype]),
            own_source=batch_last(own_x),
            own_weight=own_weight,
            own_bias=own_bias,
            slopes=slopes,
            source=x,
            mean=mean,
            inverse=inverse,
            weight=weight,
            bias=bias,
            own_shortcut=of_shortcut,
            out=out,
            planes=len(x),
            length=x[0].numel(),
        )
        return own_x, own_weight, own_bias, own_shortcut, None
