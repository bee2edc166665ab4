"""Packing rules for what a `forward` does between its layers: sums, reshapes, means, functions.

Each takes K, the number of cells, before the function's own arguments; see `rules.py`. Rules are
for what looks at shapes, and for what is common and can be fast; `functions.py` has all others.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from augbench.packed import ops
from augbench.packed.rules.layers import to_vectors
from augbench.packed.rules.registry import UnpackableError, function_rule
from augbench.packed.values import PerCell, each_cell, is_map, shape_of

__all__: list[str] = []  # importing registers


@function_rule(operator.getitem)
def getitem(cells: int, x: Any, index: Any) -> Any:
    """Parts of a value, or of what `size` or `chunk` made."""
    if not isinstance(x, Tensor | PerCell):
        return x[index]
    pixels = is_map(x) and _of_pixels(x.shape, index)
    if not (is_map(x) and pixels):
        return each_cell(cells, operator.getitem, x, index)
    if not any(pixels):
        return x
    if not ops.prefers_batch_last(x):
        return x[index]
    if ops.kernels_serve(x):
        return ops.thinned(x, index[2:])
    # A slice has a gradient of the order that its map has in memory, here that of planes.
    return ops.map_of(x.permute(1, 2, 3, 0)[:, *index[2:]])


def _of_pixels(shape: Sequence[int], index: Any) -> list[bool] | None:
    """Of which dimensions of a map an index takes a part; None for other than rows and columns."""
    if not isinstance(index, tuple) or len(index) > 4:
        return None
    if not all(isinstance(one, slice) for one in index):
        return None
    sizes = zip(index, shape, strict=False)
    parts = [one.indices(size) != (0, size, 1) for one, size in sizes]
    return None if any(parts[:2]) else parts


@function_rule("size")
def size(cells: int, x: Tensor | PerCell, dim: int | None = None) -> torch.Size | int:
    """The shape of one cell's value."""
    shape = shape_of(cells, x)
    return shape if dim is None else shape[dim]


@function_rule(getattr)
def attribute(cells: int, x: Any, name: str) -> Any:
    """An attribute, such as the shape of one cell's value."""
    if not isinstance(x, Tensor | PerCell):
        return getattr(x, name)
    if name == "shape":
        return shape_of(cells, x)
    if name == "ndim":
        return len(shape_of(cells, x))
    if name in ("dtype", "device", "is_cuda"):
        return getattr(x.values if isinstance(x, PerCell) else x, name)
    if name in ("T", "H", "mT", "mH"):
        return each_cell(cells, getattr, x, name)
    raise UnpackableError(f"its forward asks a value for {name!r}")


@function_rule(torch.flatten, "flatten")
def flatten(cells: int, x: Tensor | PerCell, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Maps to vectors, or some dimensions to one."""
    if isinstance(x, Tensor):
        rank = len(shape_of(cells, x))
        if start_dim % rank == 1 and end_dim % rank == rank - 1:
            return to_vectors(cells, x)
    return each_cell(cells, torch.flatten, x, start_dim, end_dim)


@function_rule(torch.reshape, "reshape", "view")
def reshape(cells: int, x: Tensor | PerCell, *sizes: Any, shape: Any = None) -> Any:
    """Maps [B, C, H, W] to vectors [B, C·H·W], vectors to maps, or anything to anything."""
    wanted = shape if shape is not None else sizes if isinstance(sizes[0], int) else sizes[0]
    if isinstance(wanted, torch.dtype):
        raise UnpackableError("its forward views a value as another type of number")
    if isinstance(x, Tensor):
        own = shape_of(cells, x)
        rest = prod(one for one in wanted if one != -1)
        resolved = [one if one != -1 else prod(own) // max(1, rest) for one in wanted]
        if resolved[0] == len(x) and prod(resolved) == prod(own):
            if len(resolved) == 2:
                return to_vectors(cells, x)
            if len(resolved) == 4 and x.ndim == 3:
                return x.reshape(len(x), -1, *resolved[2:])
    return each_cell(cells, torch.reshape, x, tuple(wanted))


@function_rule("contiguous")
def contiguous(cells: int, x: Tensor | PerCell, **how: Any) -> Any:
    """How a value lies in memory is no cell's concern."""
    return x


@function_rule("view_as", "reshape_as")
def reshape_as(cells: int, x: Tensor | PerCell, other: Tensor | PerCell) -> Any:
    """The shape of another value."""
    return reshape(cells, x, tuple(shape_of(cells, other)))


@function_rule(torch.mean, "mean")
def mean(
    cells: int,
    x: Tensor | PerCell,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    **how: Any,
) -> Any:
    """Means, fast over height and width."""
    if not isinstance(x, Tensor) or how or not _over_pixels(x, dim):
        # With `dim=None`, torch's form of means that are kept has another name.
        where = {} if dim is None and not keepdim else {"dim": dim, "keepdim": keepdim}
        return each_cell(cells, torch.mean, x, **where, **how)
    if keepdim or not ops.prefers_batch_last(x):
        means = x.mean((2, 3), keepdim=keepdim)
    else:
        means = ops.batch_last(x).flatten(1, 2).mean(1).t()  # [B, K·C], images last in memory
    return means if keepdim else means.view(len(x), cells, -1)


@function_rule(torch.amax, "amax")
def amax(
    cells: int, x: Tensor | PerCell, dim: int | Sequence[int] = (), keepdim: bool = False
) -> Any:
    """Maxima, fast over height and width."""
    if not isinstance(x, Tensor) or not _over_pixels(x, dim):
        return each_cell(cells, torch.amax, x, dim, keepdim)
    most = x.amax((2, 3), keepdim=keepdim)
    return most if keepdim else most.view(len(x), cells, -1)


def _over_pixels(x: Tensor, dim: int | Sequence[int] | None) -> bool:
    return x.ndim == 4 and isinstance(dim, Sequence) and sorted(d % 4 for d in dim) == [2, 3]


@function_rule(F.pad)
def pad(
    cells: int,
    x: Tensor | PerCell,
    pad: Sequence[int],
    mode: str = "constant",
    value: float | None = None,
) -> Any:
    """Columns, rows and channels of a map, cell by cell."""
    if not isinstance(x, Tensor) or x.ndim != 4 or len(pad) > 6 or len(pad) % 2:
        return each_cell(cells, F.pad, x, list(pad), mode, value)
    if len(pad) > 4 and mode != "constant":
        return each_cell(cells, F.pad, x, list(pad), mode, value)
    if not any(pad):
        return x
    if mode != "constant":
        return F.pad(x, list(pad), mode, value)
    if ops.kernels_serve(x) and len(pad) == 6 and not value and not any(pad[:4]) and min(pad) >= 0:
        return ops.channels_between_zeros(cells, x, *pad[4:])
    # In the order that maps in planes have in memory: [K, C, H, W, B].
    maps = x.permute(1, 2, 3, 0).unflatten(0, (cells, -1))
    return ops.map_of(F.pad(maps, [0, 0, *pad], value=value).flatten(0, 1))


@function_rule(torch.cat, torch.concat, torch.concatenate)
def cat(
    cells: int, tensors: Sequence[Tensor | PerCell], dim: int = 0, *, axis: int | None = None
) -> Any:
    """Channels beside channels, cell by cell."""
    dim = dim if axis is None else axis
    values = [one for one in tensors if isinstance(one, Tensor)]
    ranks = {one.ndim for one in values} if len(values) == len(tensors) else set()
    if ranks == {4} and dim in (1, -3):
        return torch.cat([x.unflatten(1, (cells, -1)) for x in values], dim=2).flatten(1, 2)
    if ranks == {3} and dim in (1, -1):
        return torch.cat(values, dim=2)
    return each_cell(cells, torch.cat, list(tensors), dim)


@function_rule(F.scaled_dot_product_attention)
def attention(cells: int, *args: Any, **how: Any) -> Any:
    """Attention as products and a softmax, which vmap knows and a tape can replay."""
    with sdpa_kernel(SDPBackend.MATH):
        return each_cell(cells, F.scaled_dot_product_attention, *args, **how)
