"""Convolution of maps in planes, alone or with the pooling that follows it."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from augbench.engines.planes.layout import (
    BITS,
    alike,
    call,
    kernels,
    new_map,
    planes_of,
    usable,
)
from augbench.engines.planes.pooling import poolable

__all__ = ["convolve"]


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: tuple[int, int],
    padding: tuple[int, int],
    groups: int,
    pool: tuple[int, int] | None = None,
    rectify: bool = False,
) -> Tensor | None:
    """`torch.nn.functional.conv2d` of a map, in planes; None if the kernels cannot do it.

    With `pool`, and a stride of 1, the maximum over windows of that size that do not overlap
    follows; with `rectify`, the positive part.
    """
    if not usable(x) or not alike(weight, x, len(weight)):
        return None
    if bias is not None and not alike(bias, x, len(weight)):
        return None
    how = _How(stride, padding, groups, pool, rectify, BITS[x.dtype])
    plan = _plan(x.shape, weight.shape, how)
    if plan is None:
        return None
    made: Tensor = _Convolution.apply(x, weight, bias, plan)
    return made


class _Convolution(torch.autograd.Function):
    """Map [B, G·C, H, W], weights [G·O, C, kh, kw], bias [G·O] → map, in planes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, plan: _Plan) -> Tensor:
        source, weight = plan.rows_of(planes_of(x)), weight.contiguous()
        own_bias = weight.new_zeros(len(weight)) if bias is None else bias.contiguous()
        out, *kept = plan.forward(source, weight, own_bias)
        ctx.plan, ctx.with_bias = plan, bias is not None
        ctx.save_for_backward(source, weight, *kept)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        source, weight, *kept = ctx.saved_tensors
        own_x = new_map(source, *ctx.plan.in_shape) if ctx.needs_input_grad[0] else None
        own_weight, own_bias = torch.empty_like(weight), weight.new_empty(len(weight))
        ctx.plan.gradients(own_x, own_weight, own_bias, planes_of(slopes), *kept, source, weight)
        return own_x, own_weight, own_bias if ctx.with_bias else None, None


@lru_cache(maxsize=256)
def _plan(image: torch.Size, weight: torch.Size, how: _How) -> _Plan | None:
    """The plan of a convolution; None if the kernels cannot do it."""
    if len(image) != 4 or image[1] != how.groups * weight[1]:
        return None
    if weight[3] > kernels().widest_kernel():
        return None
    if any(pad >= extent for pad, extent in zip(how.padding, weight[2:], strict=True)):
        return None
    if how.pool is None:
        return _Plan(image, weight, how)
    plan = _PooledPlan(image, weight, how)
    return plan if how.stride == (1, 1) and poolable((plan.rows, plan.columns), how.pool) else None


class _How(NamedTuple):
    """What a convolution is told, beside its shapes."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    groups: int
    pool: tuple[int, int] | None
    rectify: bool
    bits: int


class _Plan:
    """How a convolution of certain shapes goes: what they decide is worked out once.

    Its methods take and fill planes, each but the input's contiguous.
    """

    def __init__(self, image: torch.Size, weight: torch.Size, how: _How) -> None:
        self.batch, maps, self.height, self.width = image
        self.maps, self.inputs, self.kh, self.kw = weight
        self.outputs, self.how = self.maps // how.groups, how
        (sh, sw), (ph, pw) = how.stride, how.padding
        self.rows = (self.height + 2 * ph - self.kh) // sh + 1
        self.columns = (self.width + 2 * pw - self.kw) // sw + 1
        self.in_shape = maps, self.height, self.width, self.batch
        # The columns of a row, padded; with a stride, those of one remainder lie side by side.
        self._fill = -(self.width + 2 * pw) % sw
        row = self.width + 2 * pw + self._fill
        self.taps, self.row = _taps(self.kw, sw, row, self.batch), row * self.batch
        # The gradient of the input is made by columns, or as a convolution of the slopes.
        self.by_columns = None
        if how.stride == (1, 1):
            fitting = kernels().ByColumns.fitting
            self.by_columns = fitting(self.width, self.kw, pw, self.batch, self.inputs)

    def rows_of(self, x: Tensor) -> Tensor:
        """The rows as the kernels read them: padded, and in the order of the stride."""
        padding, stride = self.how.padding[1], self.how.stride[1]
        if padding or self._fill:
            x = F.pad(x, (0, 0, padding, padding + self._fill))
        if stride > 1:
            x = x.unflatten(2, (-1, stride)).transpose(2, 3).flatten(2, 3)
        return x

    def forward(self, source: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
        """The output, of planes [G·O, rows, columns, B], and what else its gradient needs."""
        out = new_map(source, self.maps, self.rows, self.columns, self.batch)
        call(
            kernels().convolve(_tile(self.outputs), self.kw, self.how.rectify, self.how.bits),
            *(out, self.packed(weight), source, weight, bias, self.taps),
            *(self.how.groups, self.outputs, self.inputs, self.height, self.row, self.rows),
            *(self.columns * self.batch, self.how.stride[0], self.how.padding[0], self.kh),
        )
        return (out, out) if self.how.rectify else (out,)

    def gradients(
        self,
        own_x: Tensor | None,
        own_weight: Tensor,
        own_bias: Tensor,
        slopes: Tensor,
        *kept: Tensor,
    ) -> None:
        """Fill the gradients of input (if it is not None), weight and bias."""
        *rectified, source, weight = kept
        if rectified:
            slopes = torch.ops.aten.threshold_backward(slopes, planes_of(rectified[0]), 0)
        (sh, sw), (ph, _), groups = self.how.stride, self.how.padding, self.how.groups
        call(
            kernels().weight_gradient(_weight_tile(self.outputs, self.kw), self.kw, self.how.bits),
            *(own_weight, slopes, source, self.taps, groups, self.outputs, self.inputs),
            *(self.height, self.row, self.rows, self.columns * self.batch, sh, ph, self.kh),
        )
        torch.sum(slopes.flatten(1), 1, out=own_bias)
        if own_x is None:
            return
        if self.by_columns is not None:
            call(
                kernels().input_gradient(self.by_columns, self.kw, self.how.bits),
                *(own_x, slopes, weight, groups, self.outputs, self.inputs, self.height),
                *(self.rows, self.batch, ph, self.kh),
            )
            return
        if sh > self.kh or sw > self.kw:  # then no output looks at some of the pixels
            own_x.zero_()
        behind = max(0, (self.width - 1 + self.how.padding[1]) // sw + 1 - self.columns)
        slopes, own_x = F.pad(slopes, (0, 0, self.kw - 1, behind)), planes_of(own_x)
        for part in product(range(min(sh, self.kh)), range(min(sw, self.kw))):
            self._gradient_of_part(part, own_x, slopes, weight)

    def _gradient_of_part(
        self, part: tuple[int, int], own_x: Tensor, slopes: Tensor, weight: Tensor
    ) -> None:
        """Fill the gradient of the pixels that meet rows i, i + stride, … of the kernel only.

        The same of columns. It is a convolution, of stride 1, of slopes between zeros.
        """
        (i, j), (sh, sw), (ph, pw) = part, self.how.stride, self.how.padding
        weight = weight.unflatten(0, (self.how.groups, -1))[..., i::sh, j::sw]
        weight = weight.flip(3, 4).transpose(1, 2).contiguous()  # [G, inputs, outputs, kh, kw]
        kh, kw = weight.shape[3:]
        # The slope [u, v] that the part's first weight takes to the first such pixel [y, x].
        u, v = -((i - ph) // sh), -((j - pw) // sw)
        y, x = u * sh + i - ph, v * sw + j - pw
        target = own_x[:, y::sh, x::sw]
        rows, columns = target.shape[1:3]
        if not rows or not columns:
            return
        result = own_x if self.how.stride == (1, 1) else slopes.new_empty(target.shape)
        first = (self.kw - kw + v) * self.batch
        call(
            kernels().convolve(_tile(self.inputs), kw, False, self.how.bits),
            *(result, self.packed(weight), slopes.flatten()[first:], weight),
            *(slopes.new_zeros(len(own_x)), _taps(kw, 1, columns, self.batch)),
            *(self.how.groups, self.inputs, self.outputs, self.rows, slopes[0, 0].numel()),
            *(rows, columns * self.batch, 1, kh - 1 - u, kh),
        )
        if result is not own_x:
            target.copy_(result)

    def packed(self, weight: Tensor) -> Tensor:
        """A scratch for one group's weights."""
        return weight.new_empty(self.outputs * self.inputs * self.kh * self.kw)


class _PooledPlan(_Plan):
    """The same, of stride 1, with the maximum over windows that follows it."""

    def forward(self, source: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
        """The output, of planes [G·O, rows // ph, columns // pw, B], and where its maxima were."""
        pool, rectify = self.how.pool, self.how.rectify
        assert pool is not None
        shape = self.maps, self.rows // pool[0], self.columns // pool[1], self.batch
        out, place = new_map(source, *shape), source.new_empty(shape, dtype=torch.uint8)
        scratch = source.new_empty(self.outputs, self.rows, self.columns, self.batch)
        call(
            kernels().convolve_and_pool(_tile(self.outputs), self.kw, pool, rectify, self.how.bits),
            *(out, place, scratch, self.packed(weight), source, weight, bias, self.taps),
            *(self.how.groups, self.outputs, self.inputs, self.height, self.row, self.rows),
            *(self.columns, self.batch, self.how.padding[0], self.kh),
        )
        return out, place

    def gradients(
        self,
        own_x: Tensor | None,
        own_weight: Tensor,
        own_bias: Tensor,
        slopes: Tensor,
        *kept: Tensor,
    ) -> None:
        """Fill the gradients of input (if it is not None), weight and bias."""
        place, source, weight = kept
        turned, left, columns = None, 0, self.columns
        if own_x is not None:
            turned = self.by_columns
            if turned is None:
                turned, columns = _tile(self.inputs), self.width + self.kw - 1
                left = self.kw - 1 - self.how.padding[1]
        tile = _weight_tile(self.outputs, self.kw)
        call(
            kernels().gradients_through_pool(tile, self.kw, self.how.pool, turned, self.how.bits),
            *(own_weight, own_bias, source if own_x is None else own_x, slopes, place),
            *(slopes.new_zeros(self.outputs, self.rows, columns, self.batch),),
            *(self.packed(weight), source, weight, self.taps),
            *(weight.new_zeros(self.inputs), _taps(self.kw, 1, columns, self.batch)),
            *(self.how.groups, self.outputs, self.inputs, self.height, self.width, self.row),
            *(self.rows, self.columns, self.batch, columns * self.batch, left * self.batch),
            *(self.how.padding[0], self.kh),
        )


def _tile(channels: int) -> int:
    tile: int = kernels().tile_of(channels)
    return tile


def _weight_tile(outputs: int, kw: int) -> int:
    tile: int = kernels().block_of(outputs, max(1, kernels().widest_kernel() // kw))
    return tile


@lru_cache(maxsize=64)
def _taps(kw: int, stride: int, width: int, batch: int) -> Tensor:
    """The offset of each column of the kernel in a row of so many columns; see `rows_of`."""
    per_remainder = width // stride
    with torch.inference_mode(False):  # it is kept, and may be needed for gradients later
        return torch.tensor([(j % stride * per_remainder + j // stride) * batch for j in range(kw)])
