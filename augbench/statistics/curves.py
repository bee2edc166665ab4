"""Learning curves on the log2(samples per class) axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from augbench.statistics._arrays import Floats, as_array, as_sizes

__all__ = ["aulc"]


def aulc(scores: ArrayLike, sizes: Sequence[int]) -> Floats:
    """The area under each seed's learning curve: scores [n, K] over K sizes give [n].

    The trapezoid rule on x = log2(s), divided by the range of x, so that the area has the unit of
    the scores and a flat curve has its own height: for s = 1, 2, …, 64 it is
    (½y₀ + y₁ + … + y₅ + ½y₆)/6. With a single size it is the score itself. A curve with a missing
    cell has no area (NaN): seeds with other sizes missing would not be comparable.

    Guyon et al. 2011, *Results of the active learning challenge*, JMLR W&CP 16 (the area under
    the learning curve on a log2 axis). Raises `UsageError` where the columns are not the sizes.
    """
    array = as_array(scores, "scores", ndim=2)
    x = np.log2(as_sizes(sizes, array.shape[1]))
    if len(x) == 1:
        return array[:, 0].copy()
    steps = np.diff(x)  # [K - 1]
    weights = (np.append(steps, 0.0) + np.insert(steps, 0, 0.0)) / 2 / (x[-1] - x[0])  # [K]
    area: Floats = array @ weights  # [n]
    return area
