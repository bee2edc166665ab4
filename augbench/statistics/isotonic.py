"""A learning curve that never falls, and where it reaches a given height."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics._arrays import TIE, Floats, as_array

__all__ = ["first_reach", "isotonic"]


def isotonic(values: ArrayLike) -> Floats:
    """The non-decreasing sequence [K] nearest to `values` [K] in least squares.

    Pool adjacent violators: Ayer et al. 1955, Ann. Math. Statist. 26; Barlow et al. 1972,
    *Statistical Inference under Order Restrictions*, §1.2. Raises `UsageError` for NaN.
    """
    array = as_array(values, "values", ndim=1)
    if np.isnan(array).any():
        raise UsageError("isotonic: expected no missing value; leave those sizes out")
    means: list[float] = []
    counts: list[int] = []
    for value in array.tolist():
        mean, count = value, 1
        while means and means[-1] >= mean:
            other = counts.pop()
            mean = (means.pop() * other + mean * count) / (other + count)
            count += other
        means.append(mean)
        counts.append(count)
    return np.repeat(np.array(means, dtype=np.float64), np.array(counts, dtype=np.int64))


def first_reach(height: float, x: ArrayLike, curve: ArrayLike) -> float:
    """inf{t : f(t) ≥ height}, f linear between the knots (x [K], curve [K]), not extrapolated.

    `curve` must not fall. −inf where the whole curve lies above `height`, +inf where it never
    reaches it; a curve that starts exactly at `height` reaches it at x₀.
    """
    knots = as_array(x, "x", ndim=1)
    heights = as_array(curve, "curve", ndim=1)
    if len(knots) != len(heights) or (np.diff(heights) < 0).any():
        raise UsageError("first_reach: expected a curve that never falls, one value for each x")
    if not len(knots) or heights[-1] < height - TIE:
        return float("inf")
    if heights[0] > height + TIE:
        return float("-inf")
    k = int(np.argmax(heights >= height - TIE))
    if k == 0:
        return float(knots[0])
    share = (height - heights[k - 1]) / (heights[k] - heights[k - 1])
    return float(knots[k - 1] + min(1.0, share) * (knots[k] - knots[k - 1]))
