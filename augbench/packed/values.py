"""Values of K cells: how they travel through a packed network, and any function of one, K times.

A cell's own value [B, C, H, W] travels as a *map* [B, K·C, H, W] and one of two dimensions [B, D]
as a *vector* [B, K, D]: both plain tensors, whose layers are fast. Whatever has another number of
dimensions travels as `PerCell`, [K, …]: tokens [B, L, D], the groups [B, g, C/g, H, W] of a channel
shuffle, a layer scale [C]. The cells stay in order in each form, and `cell_first` and
`packed` turn one into the other.

`each_cell` does to the K values what a function does to one. It is torch's own `vmap`, so that no
rule of ours can be wrong about dimensions, sizes or broadcasting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

import torch
from torch import Tensor
from torch.func import vmap
from torch.utils._pytree import tree_flatten, tree_unflatten

from augbench.packed import ops
from augbench.packed.rules.registry import UnpackableError

__all__ = ["DRAWS", "PerCell", "cell_first", "each_cell", "is_map", "packed", "shape_of"]

DRAWS = (
    "{what} draws from torch's global generator: write nn.Dropout, nn.Dropout2d or DropPath as a "
    "layer, whose draws come from each cell's own stream"
)
"""Reason given for a module or function that draws random numbers and so is not packed."""


class PerCell:
    """Values [K, …] of K cells that are neither maps nor vectors."""

    __slots__ = ("values",)

    def __init__(self, values: Tensor) -> None:
        self.values = values

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Serve torch's functions and its layers of each value alone, such as `nn.GELU`."""
        kwargs = kwargs or {}
        leaves, _ = tree_flatten((args, kwargs))
        cells = next(len(one.values) for one in leaves if isinstance(one, PerCell))
        return each_cell(cells, function, *args, **kwargs)


def is_map(x: object) -> TypeGuard[Tensor]:
    """True if a value is a map [B, K·C, H, W]."""
    return isinstance(x, Tensor) and x.ndim == 4


def cell_first(cells: int, x: Tensor | PerCell) -> Tensor:
    """A value of K cells as [K, …], a view."""
    if isinstance(x, PerCell):
        return x.values
    return x.transpose(0, 1) if x.ndim == 3 else x.unflatten(1, (cells, -1)).movedim(1, 0)


def packed(values: Tensor) -> Tensor | PerCell:
    """Values [K, …] in the form in which their number of dimensions travels."""
    if values.ndim == 3:
        return values.transpose(0, 1)
    if values.ndim != 5:
        return PerCell(values)
    if ops.prefers_batch_last(values):  # if there has to be a copy, it shall be batch-last
        return ops.map_of(values.permute(0, 2, 3, 4, 1).flatten(0, 1))
    return values.movedim(0, 1).flatten(1, 2)


def shape_of(cells: int, x: Tensor | PerCell) -> torch.Size:
    """The shape of one cell's value."""
    if isinstance(x, PerCell):
        return x.values.shape[1:]
    batch, second, *rest = x.shape
    return torch.Size((batch, *rest) if x.ndim == 3 else (batch, second // cells, *rest))


def each_cell(cells: int, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function of torch on each cell's values among its arguments.

    Raises `UnpackableError` for a function that draws random numbers.
    """
    leaves, spec = tree_flatten((args, kwargs))
    places = [n for n, leaf in enumerate(leaves) if isinstance(leaf, Tensor | PerCell)]
    given = [cell_first(cells, leaves[n]) for n in places]
    # Without a value of a cell, something has to tell vmap how many there are.
    given = given or [torch.arange(cells)]
    found: list[Any] = []

    def alone(*values: Tensor) -> tuple[Tensor, ...]:
        own = list(leaves)
        for n, value in zip(places, values, strict=False):
            own[n] = value
        own_args, own_kwargs = tree_unflatten(own, spec)
        made, made_spec = tree_flatten(function(*own_args, **own_kwargs))
        found[:] = made, made_spec
        # With one of its own, since vmap expects a tensor.
        return (*(one for one in made if isinstance(one, Tensor)), values[0])

    try:
        *tensors, _ = vmap(alone, randomness="error")(*given)
    except RuntimeError as error:
        if "randomness" in str(error):
            name = getattr(function, "__name__", type(function).__name__)
            raise UnpackableError(DRAWS.format(what=name)) from None
        raise
    (made, made_spec), values = found, iter(tensors)
    results = [packed(next(values)) if isinstance(one, Tensor) else one for one in made]
    return tree_unflatten(results, made_spec)
