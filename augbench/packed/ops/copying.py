"""Blocks of maps, copied: torch's copies of short runs take ten times as long."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from augbench.packed.ops.layout import BITS, batch_last, call, kernels, map_of, new_map

__all__ = ["channels_between_zeros", "copy", "lay_rows", "thinned"]


def copy(out: Tensor, source: Tensor, added: Tensor | None = None) -> None:
    """Copy planes [M, H, W, B], of any strides but the batch's, which is 1.

    `added` numbers, if any, have the strides of the output.
    """
    planes, rows, columns, run = out.shape
    to, start = list(out.stride()[:3]), list(source.stride()[:3])
    sizes = [planes, rows, columns]
    while sizes and to[-1] == start[-1] == run:  # runs that touch are one
        run *= sizes.pop()
        to.pop()
        start.pop()
    once = [1] * (3 - len(sizes))  # loops of one round, for the dimensions that are gone
    planes, rows, columns = *once, *sizes
    out_plane, out_row, out_column = *once, *to
    plane, row, column = *once, *start
    call(
        kernels().copy(_lanes(run), added is not None, BITS[out.dtype]),
        out=out,
        source=source,
        added=added,
        planes=planes,
        rows=rows,
        columns=columns,
        run=run,
        out_plane=out_plane,
        out_row=out_row,
        out_column=out_column,
        plane=plane,
        row=row,
        column=column,
    )


def lay_rows(out: Tensor, source: Tensor, padding: int, stride: int) -> None:
    """Lay the rows of planes [M, H, W, B] out between zeros; see `kernels.lay_rows`.

    The output is [M, H, stride · columns, B], of which the first `padding` columns are zero.
    """
    planes, height, width, batch = source.shape
    call(
        kernels().lay_rows(stride, _lanes(batch), BITS[out.dtype]),
        out=out,
        source=source,
        planes=planes,
        height=height,
        width=width,
        batch=batch,
        padding=padding,
        each=out.shape[2] // stride,
    )


def _lanes(run: int) -> int:
    """The lanes of a vector that fits such a run."""
    return 1 << min(4, run.bit_length() - 1)


def thinned(x: Tensor, index: tuple[slice, slice]) -> Tensor:
    """Some rows and columns of a map."""
    made: Tensor = _Thinned.apply(x, index)
    return made


class _Thinned(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, index: tuple[slice, slice]) -> Tensor:
        ctx.index, ctx.shape = index, x.shape
        part = batch_last(x)[:, *index]
        out = new_map(x, *part.shape)
        copy(batch_last(out), part)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor, None]:
        batch, maps, height, width = ctx.shape
        own = slopes.new_zeros(maps, height, width, batch)
        copy(own[:, *ctx.index], batch_last(slopes))
        return map_of(own), None


def channels_between_zeros(cells: int, x: Tensor, before: int, after: int) -> Tensor:
    """The channels of each cell, behind `before` channels of zeros, and `after` behind them."""
    made: Tensor = _BetweenZeros.apply(cells, x, before, after)
    return made


class _BetweenZeros(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, cells: int, x: Tensor, before: int, after: int) -> Tensor:
        maps, height, width, batch = batch_last(x).shape
        channels = maps // cells
        ctx.cells, ctx.own = cells, slice(before, before + channels)
        out = x.new_zeros(cells, before + channels + after, height, width, batch)
        copy(out[:, ctx.own].flatten(2)[..., None, :], batch_last(x).view(cells, channels, 1, -1))
        return map_of(out.flatten(0, 1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[None, Tensor, None, None]:
        some = batch_last(slopes).unflatten(0, (ctx.cells, -1))[:, ctx.own]
        cells, channels, *shape = some.shape
        own = new_map(slopes, cells * channels, *shape)
        into = batch_last(own).view(cells, channels, 1, -1)
        copy(into, some.flatten(2)[..., None, :])
        return None, own, None, None
