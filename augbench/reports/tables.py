"""Tables of the report as plain values: what stands in a cell, and the number behind it.

The page renders them; a test holds every number behind them against its own computation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from augbench.protocol.study import FLOOR
from augbench.reports.numbers import decimals_for, fixed, p_text, signed, span
from augbench.results import Pair, StudyResult
from augbench.statistics import (
    Analysis,
    Comparison,
    MeanInterval,
    SizeComparison,
    mean_interval,
)

__all__ = ["Bar", "Column", "Entry", "Table", "accuracy_table", "effects_table", "sizes_table"]


@dataclass(frozen=True)
class Bar:
    """An interval as a little picture: positions in [0, 100], None where there is none."""

    zero: float
    point: float
    low: float | None
    high: float | None
    sure: bool


@dataclass(frozen=True)
class Entry:
    """One cell of a table: its text, the number that it is sorted by, and that number's interval.

    `value`, `low` and `high` are in the unit of the text (points, per cent, factors).
    """

    text: str
    value: float | str | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    bar: Bar | None = None


@dataclass(frozen=True)
class Column:
    """A column: its key in tests, its title, and what hovering explains."""

    key: str
    title: str
    hint: str = ""
    words: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a caption; the first columns, those of `words`, name the row."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    note: str = ""


def accuracy_table(result: StudyResult, pair: Pair, name: str, confidence: float) -> Table:
    """Mean accuracy in per cent of each augmentation at each size, with its t interval."""
    sweep = sorted({*result.sizes, *result.ruler_sizes})
    wanted: list[int | None] = [*sweep]
    if result.stored.description["references"]:
        wanted = [FLOOR, *sweep, None]
    titles = {FLOOR: "floor", None: "ceiling"}
    rows = []
    for label in result.augmentations:
        values = 100 * result.values(pair, label, tuple(wanted))
        means = [mean_interval(column, confidence=confidence) for column in values.T]
        rows.append((Entry(label, label), *(estimate(mean) for mean in means)))
    return Table(
        name,
        f"Test accuracy on {pair[1]} in %, by pretraining samples per class of {pair[0]}",
        (
            Column("augmentation", "augmentation", words=True),
            *(Column(str(titles.get(s, s)), str(titles.get(s, s))) for s in wanted),
        ),
        tuple(rows),
        f"Mean ± half of the {100 * confidence:g} % t interval over seeds; the number of seeds "
        f"where it is not {result.seeds}.",
    )


def estimate(mean: MeanInterval, decimals: int = 1) -> Entry:
    """A mean ± half of its interval; nothing is printed where nothing was measured."""
    if not mean.n:
        return Entry("·", None, n=0)
    text = fixed(mean.mean, decimals)
    if not math.isnan(mean.lower):
        text += f" ± {fixed(mean.half_width, decimals)}"
    if mean.dropped:
        text += f" (n = {mean.n})"
    return Entry(text, mean.mean, mean.lower, mean.upper, mean.n)


def difference(d: MeanInterval, *, factor: float = 100, decimals: int | None = None) -> Entry:
    """A paired difference with its interval, by default in points."""
    if not d.n:
        return Entry("·", None, n=0)
    mean, low, high = factor * d.mean, factor * d.lower, factor * d.upper
    places = decimals_for(factor * d.half_width) if decimals is None else decimals
    text = signed(mean, places)
    if limits := span(low, high, places, sign=True):
        text += f" ({limits})"
    return Entry(text, mean, low, high, d.n)


def effects_table(analysis: Analysis, name: str) -> Table:
    """The primary endpoint: one row for each augmentation."""
    rows = [
        (
            Entry(c.augmentation, c.augmentation),
            estimate(_percent(c.baseline_aulc)),
            estimate(_percent(c.aulc)),
            difference(c.difference),
            Entry("", None, bar=bar),
            Entry(p_text(c.p_adjusted) if c.reachable else _out_of_reach(c), c.p_adjusted),
            Entry(p_text(c.test.p), c.test.p),
            Entry(p_text(c.least_p), c.least_p),
            _improvement(c),
            _average(c),
            Entry(fixed(c.pairing.correlation, 2), c.pairing.correlation),
            Entry(fixed(c.pairing.variance_ratio, 2), c.pairing.variance_ratio),
            Entry(fixed(100 * c.detectable, 2), 100 * c.detectable),
            Entry(str(c.n), c.n),
        )
        for c, bar in zip(analysis.comparisons, _bars(analysis), strict=True)
    ]
    return Table(
        name,
        "Over the whole curve: the area under the learning curve (AULC), in accuracy points",
        (
            Column("augmentation", "augmentation", words=True),
            Column("baseline_aulc", analysis.baseline, "AULC without augmentation, same seeds"),
            Column("aulc", "with it", "AULC with the augmentation"),
            Column("difference", "difference", "Paired by seed, with its t interval"),
            Column("bar", "", "The interval; the line is 0; filled: established"),
            Column("p_adjusted", "p", "Sign-flip test, corrected for all augmentations and sizes"),
            Column("p", "p alone", "The same test, uncorrected"),
            Column("least_p", "least p", "The least that p could be with these seeds"),
            Column("improvement", "better in", "Share of seeds that it improves, ties half"),
            Column("multiplier", "labels", "Geometric average; censored sizes at their limits"),
            Column("correlation", "r", "Correlation of the two arms over seeds"),
            Column(
                "variance_ratio",
                "Var δ ratio",
                "Var(difference)/(sum of both variances): below 1, pairing by seed helped",
            ),
            Column("detectable", "detectable", "True difference that this test finds 4 times in 5"),
            Column("n", "n", "Seeds with both whole curves"),
        ),
        tuple(rows),
    )


def sizes_table(analysis: Analysis, name: str, beyond: Sequence[Sequence[Entry]]) -> Table:
    """Where it helps: one row for each augmentation and size.

    `beyond` holds, for each comparison and size, the interval for new test images.
    """
    with_gap = analysis.references.ceiling is not None
    rows = [
        (
            Entry(c.augmentation, c.augmentation),
            Entry(str(row.size), row.size),
            difference(row.difference),
            replace(new, text=new.text or "–"),
            Entry(p_text(row.p_within), row.p_within),
            Entry(p_text(row.p_adjusted), row.p_adjusted),
            _multiplier(row),
            *([_gap(row)] if with_gap else []),
            Entry(fixed(row.pairing.correlation, 2), row.pairing.correlation),
            Entry(fixed(row.pairing.variance_ratio, 2), row.pairing.variance_ratio),
            Entry(str(row.difference.n), row.difference.n),
        )
        for c, intervals in zip(analysis.comparisons, beyond, strict=True)
        for row, new in zip(c.by_size, intervals, strict=True)
    ]
    gap = Column("gap", "of the gap", "Share of the gap to all labels that it closes, Fieller")
    return Table(
        name,
        "Where it helps: paired differences at each size, in accuracy points",
        (
            Column("augmentation", "augmentation", words=True),
            Column("size", "s", "Pretraining samples per class"),
            Column("difference", "difference", "Paired by seed, with its t interval"),
            Column("beyond", "new images too", "Interval for new seeds and new test images"),
            Column("p_within", "p (sizes)", "Corrected for the sizes of one augmentation"),
            Column("p_adjusted", "p", "Corrected for all augmentations, sizes and areas"),
            Column("multiplier", "labels", "Times as many labels that buy the same without it"),
            *([gap] if with_gap else []),
            Column("correlation", "r", "Correlation of the two arms over seeds"),
            Column("variance_ratio", "Var δ ratio", "Below 1, pairing by seed helped"),
            Column("n", "n", "Seeds with both cells"),
        ),
        tuple(rows),
        "Intervals are pointwise and uncorrected; the p-values decide. A multiplier with > or < "
        "lies off the measured sizes: it is censored, never extrapolated.",
    )


def _percent(mean: MeanInterval) -> MeanInterval:
    return replace(mean, mean=100 * mean.mean, lower=100 * mean.lower, upper=100 * mean.upper)


def _out_of_reach(c: Comparison) -> str:
    return f"out of reach (n ≥ {c.seeds_needed})"


def _improvement(c: Comparison) -> Entry:
    i = c.improvement
    if not c.n:
        return Entry("·")
    ties = f", {i.ties} equal" if i.ties else ""
    return Entry(
        f"{i.wins} of {i.n}{ties} ({span(i.lower, i.upper, 2)})", i.probability, i.lower, i.upper
    )


def _average(c: Comparison) -> Entry:
    mean = c.average_multiplier
    if math.isnan(mean.value):
        return Entry("–")
    sign = {"": "", "at least": "≥ ", "at most": "≤ "}[mean.bound]
    return Entry(f"{sign}{mean.value:.3g}×", mean.value)


def _multiplier(row: SizeComparison) -> Entry:
    m = row.multiplier
    if not m.n:
        return Entry("·")
    if m.withheld:
        return Entry(f"– ({m.withheld})", n=m.n)
    text = f"{m.text}×"
    if not math.isnan(m.lower):
        low = f"< {m.least:.3g}" if m.lower == 0 else f"{m.lower:.3g}"
        high = f"> {m.most:.3g}" if math.isinf(m.upper) else f"{m.upper:.3g}"
        text += f" ({low} to {high})"
    if m.n != row.difference.n:
        text += f" (n = {m.n})"
    return Entry(text, m.value, m.lower, m.upper, m.n)


def _gap(row: SizeComparison) -> Entry:
    gap = row.gap_closed
    if gap is None or math.isnan(gap.share):
        return Entry("–")
    text = f"{fixed(100 * gap.share, 0)} %"
    if math.isfinite(gap.lower):
        text += f" ({span(100 * gap.lower, 100 * gap.upper, 0)})"
    elif gap.n > 1:
        text = "no bounds"
    if gap.n != row.difference.n:
        text += f" (n = {gap.n})"
    return Entry(text, 100 * gap.share, 100 * gap.lower, 100 * gap.upper, gap.n)


def _bars(analysis: Analysis) -> list[Bar | None]:
    """All intervals of one table on one scale."""
    ends = [0.0]
    for c in analysis.comparisons:
        d = c.difference
        ends += [end for end in (d.mean, d.lower, d.upper) if math.isfinite(end)]
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low) or 1.0
    low, high = low - room, high + room

    def place(value: float) -> float | None:
        return round(100 * (value - low) / (high - low), 2) if math.isfinite(value) else None

    bars: list[Bar | None] = []
    for c in analysis.comparisons:
        zero, point = place(0.0), place(c.difference.mean)
        assert zero is not None
        if point is None:
            bars.append(None)
            continue
        sure = c.reachable and c.p_adjusted <= analysis.alpha
        bars.append(Bar(zero, point, place(c.difference.lower), place(c.difference.upper), sure))
    return bars
