"""Packing rules for what a `forward` does between its layers: sums, reshapes, means, functions.

Each takes K, the number of cells, before the function's own arguments; see `rules.py`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from augbench.engines import planes
from augbench.engines.layers import to_vectors
from augbench.engines.rules import UnpackableError, function_rule

__all__ = ["UNCHANGED"]

UNCHANGED: frozenset[object] = frozenset(
    {
        # Functions of each value alone,
        *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv),
        *(operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.neg),
        *(torch.add, torch.sub, torch.mul, torch.div, torch.maximum, torch.minimum),
        *(torch.relu, torch.sigmoid, torch.tanh, torch.exp, torch.abs, torch.sqrt, torch.clamp),
        *(F.relu, F.relu6, F.leaky_relu, F.elu, F.selu, F.gelu, F.silu, F.mish, F.softplus),
        *(F.hardswish, F.hardsigmoid, F.hardtanh, F.sigmoid, F.tanh, torch.square),
        *("add", "add_", "sub", "mul", "mul_", "div", "relu", "relu_", "sigmoid", "tanh"),
        *("exp", "abs", "sqrt", "square", "clamp", "neg", "maximum", "minimum"),
        # of each channel of a map alone,
        *(F.max_pool2d, torch.max_pool2d, F.avg_pool2d),
        *(F.adaptive_avg_pool2d, F.adaptive_max_pool2d),
    }
)
"""What acts on K cells' values exactly as on one cell's."""


@function_rule(operator.getitem)
def getitem(cells: int, x: Any, index: Any) -> Any:
    """Rows and columns of a map, or of a shape, which `size` has made that of one cell's value."""
    if not (isinstance(x, Tensor) and x.ndim == 4 and isinstance(index, tuple)):
        return x[index]
    if not all(isinstance(one, slice) for one in index) or not planes.preferred(x):
        return x[index]
    whole = [one.indices(size) == (0, size, 1) for one, size in zip(index, x.shape, strict=False)]
    if not all(whole[:2]):
        return x[index]
    if all(whole):
        return x
    if planes.usable(x):
        return planes.thinned(x, index[2:])
    # A slice has a gradient of the order that its map has in memory, here that of planes.
    return planes.in_planes(x.permute(1, 2, 3, 0)[:, *index[2:]])


@function_rule("size")
def size(cells: int, x: Tensor, dim: int | None = None) -> tuple[int, ...] | int:
    """The shape of one cell's value."""
    shape = (len(x), *x.shape[2:]) if x.ndim == 3 else (len(x), x.shape[1] // cells, *x.shape[2:])
    return shape if dim is None else shape[dim]


@function_rule(getattr)
def attribute(cells: int, x: Tensor, name: str) -> tuple[int, ...] | int:
    """`x.shape` or `x.ndim`, of one cell's value."""
    shape = size(cells, x)
    assert isinstance(shape, tuple)
    if name == "shape":
        return shape
    if name == "ndim":
        return len(shape)
    raise UnpackableError(f"the attribute {name!r} of a tensor")


@function_rule(torch.flatten, "flatten")
def flatten(cells: int, x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Maps to vectors."""
    if start_dim not in (1, -3) or end_dim not in (-1, 3):
        raise UnpackableError("flatten over some of the dimensions")
    return to_vectors(cells, x)


@function_rule(torch.reshape, "reshape", "view")
def reshape(cells: int, x: Tensor, *shape: Any) -> Tensor:
    """Maps [B, C, H, W] to vectors [B, C·H·W], or vectors to maps."""
    sizes: tuple[int, ...] = shape if isinstance(shape[0], int) else tuple(shape[0])
    if sizes[0] not in (len(x), -1) or len(sizes) not in (2, 4):
        raise UnpackableError(f"a reshape to {list(sizes)}")
    if len(sizes) == 2:
        return to_vectors(cells, x)
    # The first two dimensions take up what the pixels leave; cells stay in order.
    return x.reshape(len(x), -1, *sizes[2:])


@function_rule(torch.mean, "mean")
def mean(
    cells: int, x: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False
) -> Tensor:
    """The mean over height and width."""
    if x.ndim == 4 and not keepdim and planes.preferred(x):
        means = planes.planes_of(x).flatten(1, 2).mean(1).t()  # [B, K·C], images last in memory
    else:
        means = x.mean((2, 3), keepdim=keepdim)
    return _over_pixels(cells, means, x, dim)


@function_rule(torch.amax, "amax")
def amax(cells: int, x: Tensor, dim: int | Sequence[int] = (), keepdim: bool = False) -> Tensor:
    """The maximum over height and width."""
    return _over_pixels(cells, x.amax((2, 3), keepdim=keepdim), x, dim)


@function_rule(F.pad)
def pad(
    cells: int, x: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Columns, rows and channels of a map, cell by cell."""
    if x.ndim != 4 or len(pad) > 6 or (len(pad) > 4 and mode != "constant"):
        raise UnpackableError("pad of anything but columns, rows and channels")
    if not any(pad):
        return x
    if mode != "constant":
        return F.pad(x, list(pad), mode, value)
    if planes.usable(x) and len(pad) == 6 and not value and not any(pad[:4]) and min(pad) >= 0:
        return planes.channels_between_zeros(cells, x, *pad[4:])
    # In the order that maps in planes have in memory: [K, C, H, W, B].
    maps = x.permute(1, 2, 3, 0).unflatten(0, (cells, -1))
    return planes.in_planes(F.pad(maps, [0, 0, *pad], value=value).flatten(0, 1))


def _over_pixels(cells: int, reduced: Tensor, x: Tensor, dim: int | Sequence[int] | None) -> Tensor:
    if x.ndim != 4 or isinstance(dim, int | None) or sorted(d % 4 for d in dim) != [2, 3]:
        raise UnpackableError("a reduction over anything but height and width")
    return reduced if reduced.ndim == 4 else reduced.view(len(x), cells, -1)


@function_rule(torch.cat, torch.concat)
def cat(cells: int, values: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Channels beside channels, cell by cell."""
    if dim not in (1, -3 if values[0].ndim == 4 else -1):
        raise UnpackableError(f"cat along dimension {dim}")
    if values[0].ndim == 3:
        return torch.cat(list(values), dim=2)
    return torch.cat([x.unflatten(1, (cells, -1)) for x in values], dim=2).flatten(1, 2)
