"""The front of best choices by cost and accuracy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics._arrays import as_array

__all__ = ["on_front"]


def on_front(costs: ArrayLike, values: ArrayLike) -> tuple[bool, ...]:
    """The choices [n] that no other beats: none costs no more and is better, or less and as good.

    Pareto 1906, *Manuale di economia politica*. By the values as they are, which noise moves: a
    neighbour of the front need not be worse. A choice without a cost or a value (NaN) is not on
    it. Raises `UsageError` for lengths that differ.
    """
    x, y = as_array(costs, "costs", ndim=1), as_array(values, "values", ndim=1)
    if len(x) != len(y):
        raise UsageError(f"expected a value for each of {len(x)} costs, got {len(y)}")
    found, best = np.zeros(len(x), dtype=np.bool_), -np.inf
    known = np.flatnonzero(~np.isnan(x) & ~np.isnan(y))
    for cost in np.unique(x[known]):
        here = known[x[known] == cost]
        top = y[here].max()
        if top > best:
            found[here] = y[here] == top
            best = top
    return tuple(found.tolist())
