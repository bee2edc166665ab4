"""The probability that a seed is better with an augmentation than without it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics._arrays import TIE, as_array, as_confidence, split_missing

__all__ = ["Improvement", "clopper_pearson", "probability_of_improvement"]


@dataclass(frozen=True)
class Improvement:
    """The share of paired seeds that are better, ties counted half.

    `lower` and `upper` bound the probability of a win *among seeds that differ* (wins against
    losses); without ties that is the same probability. They are 0 and 1 where no seed differs.
    """

    probability: float
    lower: float
    upper: float
    wins: int
    ties: int
    losses: int
    dropped: tuple[int, ...] = ()

    @property
    def n(self) -> int:
        """The seeds with both arms."""
        return self.wins + self.ties + self.losses


def probability_of_improvement(differences: ArrayLike, *, confidence: float = 0.95) -> Improvement:
    """(#{δ > 0} + ½ #{δ = 0})/n of paired differences [n], with an exact interval on non-ties.

    Paired, unlike the Mann–Whitney form of Agarwal et al. 2021 (arXiv 2108.13264), which
    compares every run of one arm with every run of the other and so ignores common seeds. NaN is
    a missing pair. All NaN without a pair.
    """
    kept, dropped = split_missing(as_array(differences, "differences", ndim=1))
    wins, losses = int((kept > TIE).sum()), int((kept < -TIE).sum())
    ties = len(kept) - wins - losses
    if not len(kept):
        return Improvement(math.nan, math.nan, math.nan, 0, 0, 0, dropped)
    lower, upper = clopper_pearson(wins, wins + losses, confidence=confidence)
    return Improvement((wins + ties / 2) / len(kept), lower, upper, wins, ties, losses, dropped)


def clopper_pearson(
    successes: int, trials: int, *, confidence: float = 0.95
) -> tuple[float, float]:
    """The exact interval of a binomial proportion: (0, 1) without trials.

    Beta quantiles at (1 ∓ confidence)/2: Clopper & Pearson 1934, Biometrika 26. Never covers less
    than it claims. Raises `UsageError` unless 0 ≤ successes ≤ trials.
    """
    from scipy.special import betaincinv  # late, as in `t_quantile`

    tail = (1 - as_confidence(confidence)) / 2
    if not 0 <= successes <= trials:
        raise UsageError(f"expected 0 ≤ successes ≤ trials, got {successes} of {trials}")
    failures = trials - successes
    lower = betaincinv(successes, failures + 1, tail) if successes else 0.0
    upper = betaincinv(successes + 1, failures, 1 - tail) if failures else 1.0
    return float(lower), float(upper)
