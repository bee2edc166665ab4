"""Tuning looked at afterwards: the best of so many trials, and what each parameter did."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augbench.errors import UsageError
from augbench.statistics._arrays import TIE, Floats, as_array, split_missing

__all__ = ["Sensitivity", "best_of", "sensitivity"]


def best_of(scores: ArrayLike, *, default_first: bool = True) -> Floats:
    """The expected best of k = 1 … n trials, by validation `scores` [seeds, trials]: float64 [n].

    A trial's score v is its mean over seeds. Were the trials made in another order, all orders
    being as likely, the best of the first k would be, on average, Σᵢ v₍ᵢ₎ C(i−1, k−1)/C(n, k), with
    v₍₁₎ ≤ … ≤ v₍ₙ₎: what Dodge et al. 2019 (*Show Your Work*, arXiv 1909.03004) call expected
    validation performance. They draw the k trials with replacement, which is biased downwards, by
    the more the closer k is to n (Tang et al. 2020, arXiv 2004.13705; Dodge et al. 2021, arXiv
    2110.00613, who also find that the bias buys a smaller variance). Here they are drawn without,
    which is unbiased for independent trials, and at k = n the best that was found.

    With `default_first`, trial 0 (the defaults) is made first in every order, as in a study: at
    k = 1 stands its score. Where it is missing, all trials are of one kind.

    An approximation: points that spread evenly are not independent, and together find a little more
    than independent ones. It is a score that chose, so it exceeds the test accuracy of what was
    chosen. A trial that misses a seed (NaN) is left out; n counts the others. Raises `UsageError`
    for other shapes, or where no trial is complete.
    """
    means, complete = _means(scores)
    if not complete.any():
        raise UsageError("scores: expected a trial with a score for every seed, got none")
    first = default_first and bool(complete[0])
    others = np.sort(means[1:][complete[1:]] if first else means[complete])
    if not first:
        return np.array([_expected_best(others, k) for k in range(1, len(others) + 1)])
    lifted = np.maximum(others, means[0])  # the best of any of them and of the default
    return np.array([means[0], *(_expected_best(lifted, k) for k in range(1, len(lifted) + 1))])


@dataclass(frozen=True)
class Sensitivity:
    """The scores of an arm's trials against the values of one parameter.

    `values` and `scores` [n] are the trials' values, ascending, and mean validation scores.
    `correlation` is Spearman's ρ in [−1, 1]: which way it goes. `thirds` are the mean scores of the
    lowest, the middle and the highest third of the values, by count: a peak in the middle, or at an
    end of the range. NaN below three trials. The other parameters differ from trial to trial too:
    with few trials this is a picture, not a test.
    """

    values: tuple[float, ...]
    scores: tuple[float, ...]
    correlation: float
    thirds: tuple[float, float, float]

    @property
    def spread(self) -> float:
        """The best third's mean less the worst third's."""
        return max(self.thirds) - min(self.thirds)


def sensitivity(values: ArrayLike, scores: ArrayLike) -> Sensitivity:
    """Describe validation `scores` [seeds, trials] by the `values` [trials] of one parameter.

    The default's value belongs to trial 0. Trials without a value or that miss a seed (NaN) are
    left out. Ranks of ties are averaged (Spearman 1904, Am. J. Psychol. 15); ρ is NaN where values
    or scores do not vary. Raises `UsageError` for other shapes.
    """
    x = as_array(values, "values", ndim=1)
    means, _ = _means(scores)
    if len(x) != len(means):
        raise UsageError(f"values: expected one for each of {len(means)} trials, got {len(x)}")
    kept, _ = split_missing(np.stack([x, means], axis=1))  # [n, 2]
    kept = kept[np.argsort(kept[:, 0], kind="stable")]
    x, y = kept[:, 0], kept[:, 1]
    if len(x) < 3:
        none = (math.nan, math.nan, math.nan)
        return Sensitivity(tuple(x.tolist()), tuple(y.tolist()), math.nan, none)
    low, middle, high = (float(part.mean()) for part in np.array_split(y, 3))
    return Sensitivity(tuple(x.tolist()), tuple(y.tolist()), _spearman(x, y), (low, middle, high))


def _means(scores: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    """The trials' means over seeds [trials], and which of them have all [trials]."""
    table = as_array(scores, "scores", ndim=2)
    if not table.size:
        raise UsageError(f"scores: expected a seed and a trial at least, got shape {table.shape}")
    means: Floats = table.mean(axis=0)
    return means, ~np.isnan(means)


def _expected_best(ascending: Floats, k: int) -> float:
    """The expected greatest of k of n values, drawn without replacement."""
    n = len(ascending)
    # Of all sets of k, C(i−1, k−1) have the i-th value for their greatest.
    ways = np.array([math.comb(i, k - 1) for i in range(n)], dtype=object)
    shares = (ways / math.comb(n, k)).astype(np.float64)
    return float(ascending @ shares)


def _spearman(x: Floats, y: Floats) -> float:
    a, b = _ranks(x), _ranks(y)
    if np.ptp(a) <= 0 or np.ptp(b) <= 0:
        return math.nan
    return float(np.clip(np.corrcoef(a, b)[0, 1], -1, 1))


def _ranks(values: Floats) -> Floats:
    """Ranks from 0, those of ties averaged."""
    below = (values[None, :] < values[:, None] - TIE).sum(axis=1)
    same = (np.abs(values[None, :] - values[:, None]) <= TIE).sum(axis=1)
    ranks: Floats = below + (same - 1) / 2
    return ranks
