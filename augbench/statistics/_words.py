"""How numbers are said: accuracy points, intervals, p-values and lists, rounded for a reader."""

from __future__ import annotations

import math
from collections.abc import Sequence

from augbench.statistics.intervals import MeanInterval
from augbench.statistics.multipliers import Multiplier
from augbench.statistics.tree import Analysis, SizeComparison

__all__ = [
    "bounds",
    "count",
    "interval",
    "join",
    "number_list",
    "over_sizes",
    "p_value",
    "percent",
    "points",
    "samples",
    "signed",
    "size_list",
]


def over_sizes(analysis: Analysis) -> str:
    """What the primary endpoint averages over."""
    first, last = analysis.sizes[0], analysis.sizes[-1]
    if first == last:
        return f"at {samples([first])}"
    return f"on average over {first} to {last} samples per class"


def points(d: MeanInterval, analysis: Analysis) -> str:
    """A difference with what it averages over, its interval and its seeds."""
    text = f"{signed(d.mean, d)} accuracy points {over_sizes(analysis)}"
    if math.isnan(d.lower):
        return f"{text} ({count(d.n, 'seed')}, so no interval)"
    low, high = signed(d.lower, d), signed(d.upper, d)
    return f"{text} ({analysis.confidence:.0%} interval {low} to {high}, {count(d.n, 'seed')})"


def interval(d: MeanInterval) -> str:
    """A difference with its interval, for a parenthesis."""
    if math.isnan(d.lower):
        return f"{signed(d.mean, d)} points, no interval"
    return f"{signed(d.mean, d)} points, {signed(d.lower, d)} to {signed(d.upper, d)}"


def bounds(m: Multiplier, analysis: Analysis) -> str:
    """A multiplier's interval in parentheses; its open ends are said in words."""
    if math.isnan(m.lower):
        return ""
    low = f"less than {m.least:.3g}" if m.lower == 0 else f"{m.lower:.3g}"
    high = f"more than {m.most:.3g}" if math.isinf(m.upper) else f"{m.upper:.3g}"
    return f" ({analysis.confidence:.0%} interval {low} to {high})"


def signed(share: float, d: MeanInterval) -> str:
    """Accuracy points with a sign, to a tenth, or a hundredth where the interval is that fine."""
    decimals = 2 if d.half_width < 0.005 else 1
    return f"{100 * share:+.{decimals}f}".replace("-", "−")


def percent(share: float) -> str:
    """A share as whole per cent, with a true minus and no −0."""
    return f"{round(100 * share)}%".replace("-", "−")


def p_value(p: float) -> str:
    """To two digits: "p = 0.031"."""
    return f"p = {p:.2g}" if p >= 1e-4 else "p < 0.0001"


def size_list(rows: Sequence[SizeComparison]) -> str:
    """The sizes of some rows: "1, 2 and 4"."""
    return number_list([row.size for row in rows])


def samples(sizes: Sequence[int]) -> str:
    """Sizes with their unit: "1, 2 and 4 samples per class"."""
    return f"{number_list(sizes)} {'sample' if list(sizes) == [1] else 'samples'} per class"


def number_list(numbers: Sequence[int]) -> str:
    """Numbers as English lists them: "1, 2 and 4"."""
    return join([str(number) for number in numbers])


def join(parts: Sequence[str]) -> str:
    """Parts as English lists them."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 seed", "3 seeds"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
