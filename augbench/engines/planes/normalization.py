"""Batch normalisation of maps in planes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from augbench.engines.planes.layout import (
    BITS,
    alike,
    call,
    kernels,
    new_map,
    planes_of,
    usable,
)

__all__ = ["batch_norm"]


def batch_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, *, rectify: bool = False
) -> tuple[Tensor, Tensor, Tensor] | None:
    """A map normalised over batch, height and width, and the mean and biased variance [M] of each.

    With `rectify`, only its positive part. None if the kernels cannot do it.
    """
    channels = x.shape[1]
    weight = x.new_ones(channels) if weight is None else weight
    bias = x.new_zeros(channels) if bias is None else bias
    if not (usable(x) and alike(weight, x, channels) and alike(bias, x, channels)):
        return None
    made: tuple[Tensor, Tensor, Tensor] = _BatchNorm.apply(x, weight, bias, eps, rectify)
    return made


class _BatchNorm(torch.autograd.Function):
    """Map [B, M, H, W] → the same, normalised, in planes, with mean and biased variance [M]."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, rectify: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = planes_of(x), weight.contiguous()
        out = new_map(x, *x.shape)
        mean, variance, inverse = x.new_empty(3, len(x))
        call(
            kernels().normalize(rectify, BITS[x.dtype]),
            *(out, mean, variance, inverse, x, weight, bias.contiguous(), x.new_tensor([eps])),
            *(len(x), x[0].numel()),
        )
        # A plain output may be changed in place by what follows; nothing of it is needed later.
        ctx.save_for_backward(x, out if rectify else x, weight, mean, inverse)
        ctx.rectify = rectify
        ctx.mark_non_differentiable(mean, variance)
        return out, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        x, out, weight, mean, inverse = ctx.saved_tensors
        own_x, own_weight, own_bias = (
            new_map(x, *x.shape),
            torch.empty_like(weight),
            torch.empty_like(weight),
        )
        call(
            kernels().normalize_gradient(ctx.rectify, BITS[x.dtype]),
            *(own_x, own_weight, own_bias, planes_of(slopes), x, out, mean, inverse),
            *(weight,),
            *(len(x), x[0].numel()),
        )
        return own_x, own_weight, own_bias, None, None
