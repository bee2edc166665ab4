"""The spread of two paired arms: a test that their variances over seeds are equal."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from augbench.statistics._arrays import TIE, as_pair, split_missing

__all__ = ["Spread", "spread"]

_LEVEL, _RATIO = 0.05, 1.25


@dataclass(frozen=True)
class Spread:
    """`ratio` is sd(treated)/sd(baseline) over n seeds, `p` the Pitman–Morgan test's.

    Both are NaN below three seeds or where an arm does not vary.
    """

    ratio: float
    p: float
    n: int

    @property
    def plain(self) -> bool:
        """True where the arms differ plainly: p ≤ .05, by a factor of 1.25 at least."""
        return self.p <= _LEVEL and not 1 / _RATIO < self.ratio < _RATIO


def spread(treated: ArrayLike, baseline: ArrayLike) -> Spread:
    """Compare the variances of two arms [n] with the same seeds.

    Equal variances make the sum and the difference of a pair uncorrelated, which the t test of
    their correlation checks (exact for normal data): Pitman 1939, Morgan 1939, Biometrika 31.
    """
    a, b = as_pair(treated, baseline, ndim=1)
    kept, _ = split_missing(np.stack([a, b], axis=1))
    n = len(kept)
    if n < 3 or min(np.ptp(kept, axis=0)) <= TIE:
        return Spread(math.nan, math.nan, n)
    sd = kept.std(axis=0, ddof=1)
    total, difference = kept.sum(axis=1), kept[:, 0] - kept[:, 1]
    if min(np.ptp(total), np.ptp(difference)) <= TIE:
        return Spread(float(sd[0] / sd[1]), math.nan, n)
    r = float(np.clip(np.corrcoef(total, difference)[0, 1], -1, 1))
    from scipy.special import stdtr  # late, as in `t_quantile`

    t = abs(r) * math.sqrt((n - 2) / max(1 - r * r, 1e-300))
    return Spread(float(sd[0] / sd[1]), 2 * float(stdtr(n - 2, -t)), n)
