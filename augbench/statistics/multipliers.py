"""Label multipliers: the worth of an augmentation in un-augmented labels.

The multiplier at s is how many times more un-augmented labels buy the same accuracy. Prior art:
exchange rates (Geiping et al. 2022, arXiv 2210.06441) and the average data advantage
(arXiv 2103.08493). Both extrapolate or average without intervals; here nothing is extrapolated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics._arrays import (
    TIE,
    Floats,
    as_array,
    as_confidence,
    as_pair,
    as_sizes,
    split_missing,
)
from augbench.statistics.intervals import t_quantile
from augbench.statistics.isotonic import first_reach, isotonic
from augbench.statistics.scale import Scale

__all__ = ["GeometricMean", "Multiplier", "geometric_mean", "label_multipliers"]

Censored = Literal["", "above", "below"]
Bound = Literal["", "at least", "at most"]


@dataclass(frozen=True)
class Multiplier:
    """The label multiplier at one size.

    `value` is the estimate, or the limit that it passes: with `censored` "above" the augmented
    arm beats the baseline at its largest size, so the multiplier is more than `value`; with
    "below" it is less than the baseline at its smallest. [`lower`, `upper`] is the interval, 0 or
    infinity where it runs off the measured sizes, NaN below two seeds. `least` and `most` are the
    smallest and the largest multiplier that the measured sizes can show.

    `withheld` says why no number is given, and `value`, `lower` and `upper` are NaN then.
    """

    size: int
    value: float
    censored: Censored
    lower: float
    upper: float
    least: float
    most: float
    n: int
    dropped: tuple[int, ...] = ()
    withheld: str = ""

    @property
    def text(self) -> str:
        """The estimate as it is printed: "2.3", "> 64", "< 0.25"."""
        if math.isnan(self.value):
            return "–"
        sign = {"": "", "above": "> ", "below": "< "}[self.censored]
        return f"{sign}{self.value:,.0f}" if self.value >= 1000 else f"{sign}{self.value:.3g}"

    def without_number(self, reason: str) -> Multiplier:
        """The same multiplier with its number withheld for `reason`."""
        nan = math.nan
        return replace(self, value=nan, lower=nan, upper=nan, censored="", withheld=reason)


@dataclass(frozen=True)
class GeometricMean:
    """Multipliers averaged on the log axis: an estimate, a bound, or nothing.

    `value` is NaN where any size is withheld or some are censored above and others below. With
    sizes censored on one side only they count at their limits, and `bound` says that the average
    is "at least" or "at most" `value`. Leaving them out instead would favour no effect: identical
    arms on a flat end of the curve came to 0.55.
    """

    value: float
    bound: Bound
    uncensored: int
    above: int
    below: int


def label_multipliers(
    treated: ArrayLike,
    baseline: ArrayLike,
    sizes: Sequence[int],
    *,
    ruler: ArrayLike | None = None,
    ruler_sizes: Sequence[int] = (),
    scale: Scale = Scale(),
    confidence: float = 0.95,
) -> tuple[Multiplier, ...]:
    """M(s) = f₀⁻¹(ȳ_a(s))/s for each of K sizes; `treated` and `baseline` are [n, K].

    f₀ is the isotonic fit of the baseline's means, linear in log2 s, f₀⁻¹(y) = inf{x : f₀(x) ≥ y}.
    `ruler` [n, R] holds the baseline at further `ruler_sizes`, which lengthen f₀. Means are over
    the seeds that have the augmented cell and the whole baseline; the others are dropped. A
    baseline size that no seed has is left out.

    The interval inverts the paired t test (as Fieller's does): with gᵢ(x) the baseline of seed i,
    linear between its sizes, it is the hull of every x where
    |mean(yᵢ − gᵢ(x))| ≤ t(n−1) · sd/√n. On a segment that is a quadratic inequality in x, solved
    exactly. The hull is widened to hold the estimate. An end is finite only where the far end of
    the range is rejected on the right side: the arm is established below the largest baseline
    size, or above the smallest.

    No number is given (`withheld`) where the baseline's means fall between the size and the place
    that the multiplier is read at: there the isotonic fit pools, and one height has several sizes.
    Nor is one on a `scale` that has none; where lower is better, all of this is of −y.
    Raises `UsageError` for shapes that do not fit, or a ruler size that is a size too.
    """
    confidence = as_confidence(confidence)
    arms = as_pair(treated, baseline, ndim=2)
    s = as_sizes(sizes, arms[0].shape[1])
    knots, curves = _with_ruler(arms[1], s, ruler, ruler_sizes)
    results = []
    for k, size in enumerate(s):
        rows = np.column_stack([arms[0][:, k], curves])  # [n, 1 + J]
        kept, dropped = split_missing(rows)
        found = _one(
            int(size),
            scale.sign * kept[:, 0],
            scale.sign * kept[:, 1:],
            knots,
            dropped,
            confidence,
            scale,
        )
        unfit = scale.no_multipliers
        results.append(found.without_number(unfit) if unfit and found.n else found)
    return tuple(results)


def geometric_mean(multipliers: Iterable[Multiplier]) -> GeometricMean:
    """Average multipliers over sizes, exp(mean(log M)), with the censored ones at their limits."""
    known = [m for m in multipliers if m.n]
    above = sum(m.censored == "above" for m in known)
    below = sum(m.censored == "below" for m in known)
    bound: Bound = "at least" if above else "at most" if below else ""
    value = math.nan
    if known and not (above and below) and not any(math.isnan(m.value) for m in known):
        value = math.exp(sum(math.log(m.value) for m in known) / len(known))
    uncensored = sum(not m.censored and not math.isnan(m.value) for m in known)
    return GeometricMean(value, bound if not math.isnan(value) else "", uncensored, above, below)


def _with_ruler(
    baseline: Floats, sizes: Floats, ruler: ArrayLike | None, ruler_sizes: Sequence[int]
) -> tuple[Floats, Floats]:
    """log2 of all baseline sizes [J], ascending, and the baseline there [n, J]."""
    if ruler is None:
        if len(ruler_sizes):
            raise UsageError("ruler_sizes were given without the ruler's accuracies; pass both")
        knots, curves = sizes, baseline
    else:
        extra = as_array(ruler, "ruler", ndim=2)
        if extra.shape != (len(baseline), len(ruler_sizes)):
            raise UsageError(
                f"ruler: expected shape {(len(baseline), len(ruler_sizes))} (seeds, ruler sizes), "
                f"got {extra.shape}"
            )
        if set(map(float, ruler_sizes)) & set(sizes.tolist()):
            raise UsageError("ruler_sizes: expected sizes that the study does not have already")
        knots = np.append(sizes, np.asarray(ruler_sizes, dtype=np.float64))
        order = np.argsort(knots)
        knots = as_sizes(knots[order].tolist())
        curves = np.column_stack([baseline, extra])[:, order]
    present = ~np.isnan(curves).all(axis=0) if len(curves) else np.ones(len(knots), dtype=bool)
    return np.log2(knots[present]), curves[:, present]


def _one(
    size: int,
    y: Floats,
    curves: Floats,
    knots: Floats,
    dropped: tuple[int, ...],
    confidence: float,
    scale: Scale,
) -> Multiplier:
    n = len(y)
    if not n or not len(knots):
        return Multiplier(size, *(math.nan,), "", *(math.nan,) * 4, n, dropped)
    least, most = 2.0 ** knots[0] / size, 2.0 ** knots[-1] / size
    means = curves.mean(axis=0)
    reached = first_reach(float(y.mean()), knots, isotonic(means))
    censored: Censored = ""
    if math.isinf(reached):
        censored = "above" if reached > 0 else "below"
    lower = upper = math.nan
    if n > 1:
        lower, upper = _hull(y, curves, knots, confidence)
        # Where the baseline's means fall, the isotonic estimate may lie off the seeds' own curves.
        lower, upper = min(lower, reached), max(upper, reached)
    result = Multiplier(
        size=size,
        value=float(np.clip(2.0**reached / size, least, most)),
        censored=censored,
        lower=float(2.0**lower / size),
        upper=float(2.0**upper / size),
        least=float(least),
        most=float(most),
        n=n,
        dropped=dropped,
    )
    fall = _fall(means, knots, math.log2(size), float(np.clip(reached, knots[0], knots[-1])), scale)
    return result.without_number(fall) if fall else result


def _fall(means: Floats, knots: Floats, size: float, reached: float, scale: Scale) -> str:
    """The first pooled stretch of the baseline that lies on the way from `size` to `reached`."""
    fit = isotonic(means)
    # Widened to whole segments, since a reading between two knots uses the height of both.
    start = knots[knots <= min(size, reached) + TIE].max(initial=knots[0])
    end = knots[knots >= max(size, reached) - TIE].min(initial=knots[-1])
    for height in np.unique(fit[np.abs(fit - means) > TIE]):
        pooled = knots[fit == height]
        if pooled[0] <= end + TIE and pooled[-1] >= start - TIE:
            first, last = (round(2.0**x) for x in (pooled[0], pooled[-1]))
            falls = "rises" if scale.lower_is_better else "falls"
            return f"the baseline's mean {scale.noun} {falls} between {first} and {last}"
    return ""


def _hull(y: Floats, curves: Floats, knots: Floats, confidence: float) -> tuple[float, float]:
    """The ends, in log2 s, of every x that the paired t test keeps; infinite off the knots.

    Where the far knot is not rejected on its own side (a baseline that falls again), sizes beyond
    it cannot be excluded, and that end is infinite.
    """
    n = len(y)
    factor = t_quantile(n - 1, confidence) ** 2 / n
    gap = y[:, None] - curves  # [n, J]
    centred = gap - gap.mean(axis=0)
    mean, variance = gap.mean(axis=0), (centred**2).sum(axis=0) / (n - 1)  # [J]
    kept = mean**2 - factor * variance <= TIE**2
    ends = [float(x) for x in knots[kept]]
    # Between knots j and j + 1 the gap is gap_j + u · rise_j, u in [0, 1].
    rise, centred_rise = np.diff(mean), np.diff(centred, axis=1)  # [J - 1], [n, J - 1]
    a = rise**2 - factor * (centred_rise**2).sum(axis=0) / (n - 1)
    b = mean[:-1] * rise - factor * (centred[:, :-1] * centred_rise).sum(axis=0) / (n - 1)
    c = mean[:-1] ** 2 - factor * variance[:-1]
    for j in range(len(a)):
        for u in _roots(float(a[j]), float(b[j]), float(c[j])):
            if 0 < u < 1:
                ends.append(float(knots[j] + u * (knots[j + 1] - knots[j])))
    if not ends:  # everywhere apart: wholly above the baseline, or wholly below it
        return (float(knots[-1]), math.inf) if mean[-1] > 0 else (-math.inf, float(knots[0]))
    lower = min(ends) if not kept[0] and mean[0] > 0 else -math.inf
    upper = max(ends) if not kept[-1] and mean[-1] < 0 else math.inf
    return lower, upper


def _roots(a: float, b: float, c: float) -> tuple[float, ...]:
    """The real roots of a·u² + 2b·u + c, in the form that does not cancel."""
    if b * b < a * c:
        return ()
    q = -(b + math.copysign(math.sqrt(b * b - a * c), b))
    return tuple(top / bottom for top, bottom in ((q, a), (c, q)) if bottom != 0)
