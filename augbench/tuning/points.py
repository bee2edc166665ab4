"""Points of a search space that spread evenly, the same for every arm; no random state.

A generalised Halton sequence (Halton 1960; linear digit scrambling as in Faure & Lemieux 2009, ACM
TOMACS 19): column j of point i is the radical inverse of i in the j-th prime base, its digits
multiplied modulo the base, shifted modulo 1 by a constant (Cranley & Patterson 1976, SIAM J.
Numer. Anal. 13). Column j depends neither on how many dimensions there are nor on how many trials:
more trials only add points, and an arm with one parameter more has the others' points in common.

Why not `scipy.stats.qmc`: the values enter the keys of stored cells, so they must be the same under
every version of SciPy. Why digits are multiplied: the plain sequence's columns of bases 11 and
more run in parallel over the first points (i/17 beside i/19), so that 8 dimensions with 16 trials
would search a diagonal. Why shifted: a plain sequence begins in the lower corner of its space.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from augbench.errors import UsageError
from augbench.tuning.spaces import Dimension

__all__ = ["MOST_DIMENSIONS", "trial_values", "unit_points"]

_COLUMNS = (
    (2, 1, 0.09375),
    (3, 2, 0.09375),
    (5, 3, 0.65625),
    (7, 3, 0.65625),
    (11, 8, 0.59375),
    (13, 11, 0.96875),
    (17, 13, 0.59375),
    (19, 12, 0.46875),
    (23, 4, 0.28125),
    (29, 9, 0.71875),
    (31, 9, 0.46875),
    (37, 20, 0.65625),
    (41, 5, 0.59375),
    (43, 34, 0.15625),
    (47, 29, 0.78125),
    (53, 22, 0.53125),
    (59, 26, 0.34375),
    (61, 45, 0.40625),
    (67, 13, 0.46875),
    (71, 25, 0.90625),
    (73, 10, 0.34375),
    (79, 8, 0.21875),
    (83, 25, 0.03125),
    (89, 25, 0.65625),
)
"""Base, multiplier and shift of each column, as `benchmarks/tuning_points.py` finds them. A change
here makes other trials of every study: only add columns."""

MOST_DIMENSIONS = len(_COLUMNS)


def unit_points(trials: int, dimensions: int) -> NDArray[np.float64]:
    """The first `trials` points in [0, 1)^dimensions: float64 [trials, dimensions].

    Fewer trials are the first rows, fewer dimensions the first columns. Raises `UsageError` for
    more than 24 dimensions.
    """
    if trials < 0 or not 0 <= dimensions <= MOST_DIMENSIONS:
        raise UsageError(
            f"expected 0 trials or more in 0 to {MOST_DIMENSIONS} dimensions, got {trials} trials "
            f"in {dimensions} dimensions; tune fewer parameters at once"
        )
    points = np.empty((trials, dimensions))
    for j, column in enumerate(_COLUMNS[:dimensions]):
        for i in range(trials):
            points[i, j] = _coordinate(i, *column)
    return points


def trial_values(dimensions: Sequence[Dimension], trials: int) -> list[dict[str, float]]:
    """The values of each trial, by the dimensions' names: `trials` of them.

    The first trial is the arm as it is, without a value; trial t > 0 is point t − 1. So the
    default is always among the trials, and without a dimension it is every trial.
    """
    if trials < 1:
        raise UsageError(f"expected 1 trial or more, got {trials}")
    names = [one.name for one in dimensions]
    if len(set(names)) < len(names):
        raise UsageError(f"expected dimensions of different names, got {', '.join(names)}")
    points = unit_points(trials - 1, len(dimensions))
    return [{}, *(_values(dimensions, point.tolist()) for point in points)]


def _values(dimensions: Sequence[Dimension], point: Sequence[float]) -> dict[str, float]:
    return {one.name: one.at(u) for one, u in zip(dimensions, point, strict=True)}


def _coordinate(index: int, base: int, multiplier: int, shift: float) -> float:
    """The scrambled radical inverse of an index, shifted modulo 1.

    In whole numbers up to one division, so that no order of sums can change the last digit.
    """
    reversed_digits, scale = 0, 1
    while index:
        index, digit = divmod(index, base)
        reversed_digits = reversed_digits * base + digit * multiplier % base
        scale *= base
    return (reversed_digits / scale + shift) % 1
