"""Convolution of maps in planes, alone or with the pooling that follows it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from augbench.packed.ops.layout import BITS, batch_last, kernels, kernels_serve, matches, new_map
from augbench.packed.ops.plans import ConvolutionSpec, Plan
from augbench.packed.ops.pooled import PooledPlan
from augbench.packed.ops.pooling import poolable
from augbench.packed.ops.scratch import zeros

try:
    from augbench.packed.winograd import WinogradPlan
except ModuleNotFoundError as error:
    if error.name != "augbench.packed.winograd":
        raise
    # Its folder has been taken out: the plain sums of `Plan` serve.
    WinogradPlan = None  # type: ignore[assignment, misc]

__all__ = ["convolve", "convolve_and_pass"]


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: tuple[int, int],
    padding: tuple[int, int],
    groups: int,
    pool: tuple[int, int] | None = None,
    shortcut: Tensor | None = None,
    rectify: bool = False,
) -> Tensor | None:
    """`torch.nn.functional.conv2d` of a map, in planes; None if the kernels cannot do it.

    With `pool`, and a stride of 1, the maximum over windows of that size that do not overlap
    follows; or a `shortcut`, a map like the output, is added; with `rectify`, the positive part
    is taken at last. With a shortcut there is no gradient.
    """
    spec = ConvolutionSpec(stride, padding, groups, pool, rectify, BITS.get(x.dtype, 0))
    plan = _plan_for(x, weight, bias, spec)
    if plan is None:
        return None
    if shortcut is not None:
        shape = len(x), plan.maps, plan.rows, plan.columns
        if pool is not None or shortcut.shape != shape or not matches(shortcut, x, len(x)):
            return None
        shortcut = batch_last(shortcut)
    made: Tensor = _Convolution.apply(x, weight, bias, shortcut, plan, False)
    return made


def convolve_and_pass(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: tuple[int, int],
    padding: tuple[int, int],
    groups: int,
) -> tuple[Tensor, Tensor] | None:
    """The convolution of a map, and the map again, for what else looks at it.

    So the map's gradients are summed while they are made. None if the kernels cannot do it.
    """
    spec = ConvolutionSpec(stride, padding, groups, None, False, BITS.get(x.dtype, 0))
    plan = _plan_for(x, weight, bias, spec)
    if plan is None:
        return None
    made, passed = _Convolution.apply(x, weight, bias, None, plan, True)
    return made, passed


class _Convolution(torch.autograd.Function):
    """Map [B, G·C, H, W], weights [G·O, C, kh, kw], bias [G·O] → map, in planes."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        shortcut: Tensor | None,
        plan: Plan,
        passing: bool,
    ) -> Tensor | tuple[Tensor, Tensor]:
        source, weight = plan.rows_of(batch_last(x)), weight.contiguous()
        own_bias = zeros(weight, len(weight)) if bias is None else bias.contiguous()
        out, *kept = plan.forward(source, weight, own_bias, shortcut)
        ctx.plan, ctx.with_bias, ctx.added = plan, bias is not None, shortcut is not None
        ctx.save_for_backward(source, weight, *kept)
        ctx.set_materialize_grads(not passing)
        return (out, x) if passing else out

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, slopes: Tensor | None, passed: Tensor | None = None
    ) -> tuple[Tensor | None, ...]:
        if slopes is None:  # nothing came of the convolution
            return passed, None, None, None, None, None
        source, weight, *kept = ctx.saved_tensors
        assert not ctx.added
        added = None if passed is None else batch_last(passed)
        own_x = new_map(source, *ctx.plan.in_shape) if ctx.needs_input_grad[0] else None
        own_weight = torch.empty_like(weight)
        own_bias = weight.new_empty(len(weight)) if ctx.with_bias else None
        ctx.plan.gradients(
            *(own_x, own_weight, own_bias, batch_last(slopes), *kept, source, weight), added=added
        )
        return own_x, own_weight, own_bias, None, None, None


def _plan_for(x: Tensor, weight: Tensor, bias: Tensor | None, spec: ConvolutionSpec) -> Plan | None:
    """The plan of a convolution of these; None if the kernels cannot do it."""
    values = [weight] if bias is None else [weight, bias]
    if not kernels_serve(x) or not all(matches(value, x, len(weight)) for value in values):
        return None
    return _plan(x.shape, weight.shape, spec)


@lru_cache(maxsize=256)
def _plan(image: torch.Size, weight: torch.Size, spec: ConvolutionSpec) -> Plan | None:
    """The plan of a convolution; None if the kernels cannot do it."""
    if len(image) != 4 or image[1] != spec.groups * weight[1]:
        return None
    if weight[3] > kernels().widest_kernel():
        return None
    if any(pad >= extent for pad, extent in zip(spec.padding, weight[2:], strict=True)):
        return None
    if spec.pool is None:
        if WinogradPlan is not None and WinogradPlan.serves(image, weight, spec):
            return WinogradPlan(image, weight, spec)
        return Plan(image, weight, spec)
    plan = PooledPlan(image, weight, spec)
    return (
        plan if spec.stride == (1, 1) and poolable((plan.rows, plan.columns), spec.pool) else None
    )
