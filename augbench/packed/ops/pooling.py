"""Maximum over windows of maps in planes."""

from __future__ import annotations

from typing import Any

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
    new_map,
)

__all__ = ["max_pool", "poolable"]


def max_pool(x: Tensor, size: tuple[int, int]) -> Tensor | None:
    """The maximum over windows that do not overlap; None if the kernels cannot do it."""
    if not kernels_serve(x) or not poolable((x.shape[2], x.shape[3]), size):
        return None
    made: Tensor = _MaxPool.apply(x, size)
    return made


def poolable(image: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether the kernels can pool such an image."""
    fits = size[0] <= image[0] and size[1] <= image[1]
    return fits and size[0] * size[1] <= kernels().NOWHERE


class _MaxPool(torch.autograd.Function):
    """Map [B, M, H, W] → map [B, M, H // kh, W // kw], in planes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: tuple[int, int]) -> Tensor:
        x = batch_last(x)
        m, height, width, batch = x.shape
        shape = m, height // size[0], width // size[1], batch
        out, place = new_map(x, *shape), x.new_empty(shape, dtype=torch.uint8)
        call(
            kernels().pool(size, BITS[x.dtype]),
            out=batch_last(out),
            place=place,
            source=x,
            **_windows(x, place),
        )
        ctx.save_for_backward(place)
        ctx.size, ctx.shape = size, x.shape
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor, None]:
        (place,), slopes = ctx.saved_tensors, batch_last(slopes)
        covered = ctx.shape[1] % ctx.size[0] == 0 and ctx.shape[2] % ctx.size[1] == 0
        own = (slopes.new_empty if covered else slopes.new_zeros)(ctx.shape)
        gradient = kernels().pool_gradient(ctx.size, BITS[slopes.dtype])
        totals = slopes.new_empty(len(own))  # which nobody asks for here
        call(
            gradient,
            result=own,
            slopes=slopes,
            place=place,
            totals=totals,
            **_windows(own, slopes),
        )
        return map_of(own), None


def _windows(planes: Tensor, pooled: Tensor) -> dict[str, int]:
    """The integers that the pooling kernels take."""
    m, height, width, batch = planes.shape
    _, rows, columns, _ = pooled.shape
    return {
        "planes": m,
        "plane": height * width * batch,
        "row": width * batch,
        "rows": rows,
        "columns": columns,
        "batch": batch,
    }
