"""Label multipliers as tables and figures tell them: where a difference is established alone.

Elsewhere the baseline's curve, which is read backwards, turns noise into large factors; and of many
factors, a reader keeps the largest.
"""

from __future__ import annotations

import math

from augbench.reports._tables import Entry
from augbench.statistics import Analysis, Comparison, Multiplier, SizeComparison
from augbench.statistics.claims import told_claims

__all__ = ["average_entry", "multiplier_entry", "told_at"]


def told_at(c: Comparison, analysis: Analysis) -> frozenset[int]:
    """The sizes whose multipliers are told: those of an established difference."""
    return frozenset(row.size for row in told_claims(c, analysis).sizes)


def multiplier_entry(row: SizeComparison, c: Comparison, analysis: Analysis) -> Entry:
    """The multiplier at one size with its interval; empty where it is not told."""
    m = row.multiplier
    if row.size not in told_at(c, analysis):
        return Entry("")
    if not m.n:
        return Entry("·")
    if m.withheld:
        return Entry(f"– ({m.withheld})", n=m.n)
    seeds = f" (n = {m.n})" if m.n != row.difference.n else ""
    return Entry(f"{m.text}×{_interval(m)}{seeds}", m.value, m.lower, m.upper, m.n)


def average_entry(c: Comparison, analysis: Analysis) -> Entry:
    """The geometric average over the sizes; empty where no difference of areas is established."""
    mean = c.average_multiplier
    if not told_claims(c, analysis).area:
        return Entry("")
    if math.isnan(mean.value):
        return Entry("–")
    sign = {"": "", "at least": "≥ ", "at most": "≤ "}[mean.bound]
    return Entry(f"{sign}{mean.value:.3g}×", mean.value)


def _interval(m: Multiplier) -> str:
    if math.isnan(m.lower):
        return ""
    low = f"< {m.least:.3g}" if m.lower == 0 else f"{m.lower:.3g}"
    high = f"> {m.most:.3g}" if math.isinf(m.upper) else f"{m.upper:.3g}"
    return f" ({low} to {high})"
