"""Means and paired differences with Student's t intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from augbench.statistics._arrays import as_array, as_confidence, as_pair, split_missing

__all__ = ["MeanInterval", "mean_interval", "paired_difference", "t_quantile"]


@dataclass(frozen=True)
class MeanInterval:
    """A mean over seeds, with its interval.

    The unit is that of the input (accuracies: shares in [0, 1]). `lower`, `upper` and `sd` are NaN
    below two seeds, `mean` is NaN without any. `dropped` holds the indices of the seeds that a
    missing cell left out.
    """

    mean: float
    lower: float
    upper: float
    sd: float
    n: int
    dropped: tuple[int, ...] = ()

    @property
    def half_width(self) -> float:
        """Half of the interval's width: the number after the ±."""
        return self.upper - self.mean


def mean_interval(values: ArrayLike, *, confidence: float = 0.95) -> MeanInterval:
    """The mean of `values` [n], ± t(n−1, (1+confidence)/2) · sd/√n, with ddof = 1.

    Student (1908), *The probable error of a mean*. Chosen over the percentile bootstrap, which
    covers far less than it claims at the numbers of seeds in use (see `docs/statistics.md`).
    NaN is a missing cell. Raises `UsageError` for other shapes, infinities, or a confidence
    outside (0, 1).
    """
    array = as_array(values, "values", ndim=1)
    confidence = as_confidence(confidence)
    kept, dropped = split_missing(array)
    n = len(kept)
    if n < 2:
        return MeanInterval(float(kept[0]) if n else math.nan, *(math.nan,) * 3, n, dropped)
    mean, sd = float(kept.mean()), float(np.std(kept, ddof=1))
    half = t_quantile(n - 1, confidence) * sd / math.sqrt(n)
    return MeanInterval(mean, mean - half, mean + half, sd, n, dropped)


def t_quantile(df: float, confidence: float) -> float:
    """Student's t with `df` degrees of freedom: the t that |T| stays below with `confidence`."""
    from scipy.special import stdtrit  # late: SciPy takes longer to import than all else here

    return float(stdtrit(df, (1 + confidence) / 2))


def paired_difference(
    treated: ArrayLike, baseline: ArrayLike, *, confidence: float = 0.95
) -> MeanInterval:
    """The mean of δᵢ = treatedᵢ − baselineᵢ over seeds [n], with its t interval.

    The interval that inverts the paired t test (Student 1908). A seed that misses either arm is
    dropped. Raises `UsageError` for arms of different shapes.
    """
    a, b = as_pair(treated, baseline, ndim=1)
    return mean_interval(a - b, confidence=confidence)
