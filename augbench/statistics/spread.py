"""The spread of two paired arms over seeds, and a test of means that may spread unalike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from augbench.statistics._arrays import TIE, as_pair, split_missing
from augbench.statistics.level import ALPHA

__all__ = ["Spread", "spread"]

_RATIO = 1.25


@dataclass(frozen=True)
class Spread:
    """`ratio` is sd(treated)/sd(baseline) over n seeds, `p` the Pitman–Morgan test's.

    `welch_p` is the p of Welch's test of the means, which takes the arms as unpaired: it allows for
    unequal variances, at the price of the pairing. All are NaN below three seeds or where an arm
    does not vary.
    """

    ratio: float
    p: float
    welch_p: float
    n: int

    def leaves_in_doubt(self, alpha: float) -> bool:
        """True where the arms vary plainly unalike and Welch's test does not confirm a claim.

        Plainly is p ≤ .05, by a factor of 1.25 at least.
        """
        plain = self.p <= ALPHA and not 1 / _RATIO < self.ratio < _RATIO
        return plain and not self.welch_p <= alpha


def spread(treated: ArrayLike, baseline: ArrayLike) -> Spread:
    """Compare the variances of two arms [n] with the same seeds.

    Equal variances make the sum and the difference of a pair uncorrelated, which the t test of
    their correlation checks (exact for normal data): Pitman 1939, Morgan 1939, Biometrika 31.
    Welch 1947, Biometrika 34, for the means.
    """
    a, b = as_pair(treated, baseline, ndim=1)
    kept, _ = split_missing(np.stack([a, b], axis=1))
    n = len(kept)
    if n < 3 or min(np.ptp(kept, axis=0)) <= TIE:
        return Spread(math.nan, math.nan, math.nan, n)
    from scipy.special import stdtr  # late, as in `t_quantile`

    errors = kept.var(axis=0, ddof=1) / n  # squared standard errors of both means
    welch = abs(kept[:, 0].mean() - kept[:, 1].mean()) / math.sqrt(errors.sum())
    df = errors.sum() ** 2 * (n - 1) / (errors**2).sum()
    total, difference = kept.sum(axis=1), kept[:, 0] - kept[:, 1]
    p = math.nan
    if min(np.ptp(total), np.ptp(difference)) > TIE:
        r = float(np.clip(np.corrcoef(total, difference)[0, 1], -1, 1))
        t = abs(r) * math.sqrt((n - 2) / max(1 - r * r, 1e-300))
        p = 2 * float(stdtr(n - 2, -t))
    ratio = math.sqrt(errors[0] / errors[1])
    return Spread(ratio, p, 2 * float(stdtr(df, -welch)), n)
