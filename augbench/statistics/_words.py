"""Numbers in words: differences, intervals, p-values and lists, rounded for a reader."""

from __future__ import annotations

import math
from collections.abc import Sequence

from augbench.statistics._arrays import TIE
from augbench.statistics.intervals import MeanInterval
from augbench.statistics.records import Analysis
from augbench.statistics.scale import Scale

__all__ = [
    "about",
    "confidence_text",
    "count",
    "decimals",
    "factor",
    "interval",
    "join",
    "number_list",
    "p_value",
    "percent",
    "points",
    "samples",
    "signed",
]


def points(d: MeanInterval, analysis: Analysis) -> str:
    """A difference of areas, with its sizes, its interval and its seeds."""
    first, last = analysis.sizes[0], analysis.sizes[-1]
    sizes = f"on average over {first} to {last} samples per class"
    if first == last:
        sizes = f"at {samples([first])}"
    scale = analysis.scale
    text = f"{signed(d.mean, d, scale)} {scale.long_unit} {sizes}"
    if math.isnan(d.lower):
        return f"{text} ({count(d.n, 'seed')}, so no interval)"
    low, high = signed(d.lower, d, scale), signed(d.upper, d, scale)
    return f"{text} ({confidence_text(analysis)} interval {low} to {high}, {count(d.n, 'seed')})"


def interval(d: MeanInterval, *, usual_n: int, scale: Scale = Scale()) -> str:
    """A difference with its interval, for a parenthesis; its seeds where they are not the usual."""
    text = f"{signed(d.mean, d, scale)} {scale.unit}"
    text += ", no interval" if math.isnan(d.lower) else f", {_span(d, scale)}"
    return text if d.n == usual_n else f"{text}, {count(d.n, 'seed')}"


def _span(d: MeanInterval, scale: Scale) -> str:
    return f"{signed(d.lower, d, scale)} to {signed(d.upper, d, scale)}"


def confidence_text(analysis: Analysis) -> str:
    """The level of intervals: "95%", "99.9%"."""
    return f"{100 * analysis.confidence:.6g}%"


def decimals(d: MeanInterval, scale: Scale = Scale()) -> int:
    """One decimal of a point, more where the interval is finer than half a point or the mean small.

    On another scale, its own decimals instead of the one. A mean that is not 0 is never printed as
    0, down to a ten-thousandth of a point.
    """
    usual = scale.decimals
    places = usual + (scale.factor * d.half_width < 5 * 10.0**-usual)
    small = abs(d.mean) > TIE
    while places < usual + 3 and small and round(scale.factor * abs(d.mean), places) == 0:
        places += 1
    return places


def signed(value: float, d: MeanInterval, scale: Scale = Scale()) -> str:
    """A difference in the unit of its scale with a sign, in the decimals of `d`; zero has none."""
    places = decimals(d, scale)
    rounded = round(scale.factor * value, places)
    return f"{rounded:+.{places}f}".replace("-", "−") if rounded else "0"


def percent(share: float) -> str:
    """A share as whole per cent, with a true minus and no −0; beyond ±200% only that it is."""
    if abs(share) > 2:
        return "over 200%" if share > 0 else "under −200%"
    return f"{round(100 * share)}%".replace("-", "−")


def factor(value: float) -> str:
    """A factor to three digits, without an exponent: "0.36", "14.8", "1,230"."""
    if value >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}" if value >= 1e-4 else f"{value:.6f}"


def about(number: float) -> str:
    """A whole number to two digits: "24", "240"."""
    return f"{number if number < 100 else float(f'{number:.2g}'):,.0f}"


def p_value(p: float) -> str:
    """A p-value to two digits: "p = 0.031"."""
    return f"p = {p:.2g}" if p >= 1e-4 else "p < 0.0001"


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
