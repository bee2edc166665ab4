"""The share of the gap from the baseline to the ceiling that an augmentation closes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics._arrays import TIE, Floats, as_array, as_confidence, split_missing
from augbench.statistics.intervals import t_quantile

__all__ = ["GapClosed", "gap_closed"]


@dataclass(frozen=True)
class GapClosed:
    """The share of the gap between baseline and ceiling that the augmented arm closes.

    0 is the baseline, 1 the ceiling; it may be negative or exceed 1. `share` is NaN where the
    ceiling is not above the baseline on average. The interval is (−inf, inf) where the gap itself
    is not established, and NaN below two seeds.
    """

    share: float
    lower: float
    upper: float
    n: int
    dropped: tuple[int, ...] = ()


def gap_closed(
    treated: ArrayLike, baseline: ArrayLike, ceiling: ArrayLike, *, confidence: float = 0.95
) -> GapClosed:
    """mean(treated − baseline)/mean(ceiling − baseline), all [n] with the same seeds.

    A ratio of two paired means, so the interval is Fieller's (1954, J. R. Statist. Soc. B 16): all
    ρ where |mean(aᵢ − ρ bᵢ)| ≤ t(n−1) · sd(aᵢ − ρ bᵢ)/√n, with a = treated − baseline and
    b = ceiling − baseline. Where that set is not bounded its hull, the whole line, is reported.
    A seed that misses any of the three is dropped. Raises `UsageError` for unequal lengths.
    """
    confidence = as_confidence(confidence)
    columns = [
        as_array(values, name, ndim=1)
        for values, name in ((treated, "treated"), (baseline, "baseline"), (ceiling, "ceiling"))
    ]
    lengths = {len(column) for column in columns}
    if len(lengths) != 1:
        raise UsageError(f"gap_closed: expected one value a seed in each, got {sorted(lengths)}")
    kept, dropped = split_missing(np.stack(columns, axis=1))  # [n, 3]
    n = len(kept)
    gain, gap = kept[:, 0] - kept[:, 1], kept[:, 2] - kept[:, 1]
    if not n or gap.mean() <= TIE:
        nothing = (-math.inf, math.inf) if n >= 2 else (math.nan, math.nan)
        return GapClosed(math.nan, *nothing, n, dropped)
    share = float(gain.mean() / gap.mean())
    if n < 2:
        return GapClosed(share, math.nan, math.nan, n, dropped)
    return GapClosed(share, *_fieller(gain, gap, confidence), n, dropped)


def _fieller(gain: Floats, gap: Floats, confidence: float) -> tuple[float, float]:
    n = len(gain)
    (var_gain, cov), (_, var_gap) = np.cov(gain, gap, ddof=1)
    factor = t_quantile(n - 1, confidence) ** 2 / n
    a = gap.mean() ** 2 - factor * var_gap
    b = gain.mean() * gap.mean() - factor * cov
    c = gain.mean() ** 2 - factor * var_gain
    if a <= TIE**2:  # the gap's own interval holds 0
        return -math.inf, math.inf
    root = math.sqrt(max(0.0, b * b - a * c))
    return float((b - root) / a), float((b + root) / a)
