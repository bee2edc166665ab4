"""Effects over the whole curve, with p-values: a row for each augmentation, and the forest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from augbench.reports._formatting import interval_text, number_text, p_text
from augbench.reports._tables import (
    Bar,
    Column,
    Entry,
    Table,
    mean_entry,
    with_collapses,
)
from augbench.reports._worth import average_entry
from augbench.reports.sections._section import NamedFigure, Report, Section
from augbench.results import Pair
from augbench.statistics import Analysis, Comparison, MeanInterval
from augbench.statistics.claims import told_claims

__all__ = ["Effects"]

_UNTOLD = "Labels are told only where the difference is established; elsewhere the cell is empty."


class Effects(Section):
    """The primary endpoint: differences of the area under the learning curve."""

    name = "effects"

    def table(self, report: Report, pair: Pair) -> Table | None:
        """The primary endpoint: one row for each augmentation."""
        analysis = report.comparisons(pair)
        if analysis is None:
            return None
        factor, decimals = report.metric.factor, report.metric.decimals_of_mean
        labels = not report.metric.no_multipliers

        def mean(area: MeanInterval) -> Entry:
            return mean_entry(_scaled(area, factor), decimals)

        rows = [
            (
                Entry(c.augmentation, c.augmentation),
                with_collapses(
                    mean_entry(_scaled(c.baseline_aulc, factor), decimals), c.collapses.baseline
                ),
                with_collapses(mean_entry(_scaled(c.aulc, factor), decimals), c.collapses.treated),
                with_collapses(
                    report.difference(c.difference), c.collapses.baseline + c.collapses.treated
                ),
                Entry("", None, bar=bar),
                Entry(p_text(c.p_adjusted) if c.reachable else _out_of_reach(c), c.p_adjusted),
                Entry(p_text(c.test.p), c.test.p),
                Entry(p_text(c.least_p), c.least_p),
                _improvement(c),
                *([average_entry(c, analysis)] if labels else []),
                Entry(number_text(c.pairing.correlation, 2), c.pairing.correlation),
                Entry(number_text(c.pairing.variance_ratio, 2), c.pairing.variance_ratio),
                Entry(number_text(factor * c.detectable, max(2, decimals)), factor * c.detectable),
                Entry(str(c.n), c.n),
            )
            for c, bar in zip(analysis.comparisons, _bars(analysis), strict=True)
        ]
        multiplier = Column(
            "multiplier", "labels", "Geometric average; censored sizes at their limits"
        )
        return Table(
            self.name,
            "Over the whole curve: the area under the learning curve (AULC), in "
            f"{report.scale.long_unit}{_direction(report)}",
            (
                Column("augmentation", "augmentation", words=True),
                Column("baseline_aulc", analysis.baseline, "AULC without augmentation, same seeds"),
                Column("aulc", "with it", "AULC with the augmentation"),
                Column("difference", "difference", "Paired by seed, with its t interval"),
                Column("bar", "", "The interval; the line is 0; filled: established"),
                Column(
                    "p_adjusted", "p", "Sign-flip test, corrected for all augmentations and sizes"
                ),
                Column("p", "p alone", "The same test, uncorrected", detail=True),
                Column(
                    "least_p", "least p", "The least that p could be with these seeds", detail=True
                ),
                Column(
                    "improvement",
                    "better in",
                    "Share of seeds that it improves, ties half",
                    detail=True,
                ),
                *([multiplier] if labels else []),
                Column("correlation", "r", "Correlation of the two arms over seeds", detail=True),
                Column(
                    "variance_ratio",
                    "Var δ ratio",
                    "Var(difference)/(sum of both variances): below 1, pairing by seed helped",
                    detail=True,
                ),
                Column(
                    "detectable",
                    "detectable",
                    "True difference that this test finds 4 times in 5",
                    detail=True,
                ),
                Column("n", "n", "Seeds with both whole curves"),
            ),
            tuple(rows),
            _UNTOLD if labels else "",
        )

    def study_figures(self, report: Report) -> Iterator[NamedFigure]:
        """One row for each augmentation and pair."""
        analyses = {pair: report.comparisons(pair) for pair in report.result.pairs}
        compared = {pair: found for pair, found in analyses.items() if found is not None}
        if compared:
            from augbench.reports.figures.differences import forest

            yield NamedFigure("effects", forest(report.result, compared))


def _scaled(mean: MeanInterval, factor: float) -> MeanInterval:
    ends = {name: factor * getattr(mean, name) for name in ("mean", "lower", "upper")}
    return replace(mean, **ends)


def _direction(report: Report) -> str:
    return " (lower is better)" if report.scale.lower_is_better else ""


def _out_of_reach(c: Comparison) -> str:
    return f"out of reach (n ≥ {c.seeds_needed})"


def _improvement(c: Comparison) -> Entry:
    i = c.improvement
    if not c.n:
        return Entry("·")
    ties = f", {i.ties} equal" if i.ties else ""
    return Entry(
        f"{i.wins} of {i.n}{ties} ({interval_text(i.lower, i.upper, 2)})",
        i.probability,
        i.lower,
        i.upper,
    )


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
        sure = bool(told_claims(c, analysis).area)
        bars.append(Bar(zero, point, place(c.difference.lower), place(c.difference.upper), sure))
    return bars
