"""The answer, for the page: what to use where, and the table of differences that says why."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from augbench.reports._formatting import capital, interval_text, number_text, p_text, signed_text
from augbench.reports._ranking import by_effect
from augbench.reports._tables import Column, Entry, Table, mean_entry
from augbench.reports.answer import Answer, Point, Row
from augbench.reports.sections._section import Report, Section
from augbench.results import Pair
from augbench.statistics import MeanInterval
from augbench.statistics.claims import told_claims

__all__ = ["Summary", "arm_id"]

_TONES = 4


class Summary(Section):
    """The headline and a row for each augmentation, the best first, in the primary condition."""

    name = "summary"
    chapter = "answer"

    def page(self, report: Report) -> dict[str, Any]:
        """The answer's sentences; its table is `study_table`."""
        return {
            "answer": report.answer,
            "registered": report.registered,
            "other_studies": report.result.other_studies,
        }

    def study_table(self, report: Report) -> Table | None:
        """Differences at each size and on average; without a baseline, means.

        None where there is no result.
        """
        answer = report.answer
        if answer.rows:
            return _differences(report, answer)
        return _means(report, answer) if answer.means and not answer.baseline else None

    def data(self, report: Report) -> dict[str, Any]:
        """What the filters choose by: each pair's order of effect, and what is established."""
        return {
            "ranking": [
                {
                    "order": by_effect(report.result, pair),
                    "established": _established(report, pair),
                }
                for pair in report.result.pairs
            ],
            "summary": [one.augmentation for one in report.answer.rows or report.answer.means],
        }


def _differences(report: Report, answer: Answer) -> Table:
    several, tints = len(answer.sizes) > 1, _Tints(answer, report.scale.sign)
    with_p = answer.testable and answer.seeds > 1
    rows = tuple(
        (
            Entry(row.augmentation, row.augmentation, link=arm_id(report, 0, row.augmentation)),
            *(_point(one, answer, tints) for one in row.points),
            *([_point(row.average, answer, tints)] if several else []),
            *([_interval(_whole(row), answer)] if answer.seeds > 1 else []),
            *([Entry(p_text(_whole(row).p), _whole(row).p)] if with_p else []),
            *([Entry(_words(row), _words(row))] if with_p else []),
        )
        for row in answer.rows
    )
    pair, unit = report.result.pairs[0], capital(answer.unit)
    percent = f"{100 * answer.confidence:g} % interval"
    hint = "Of the average, paired by seed" if several else "Paired by seed"
    return Table(
        Summary.name,
        f"{unit} above {answer.baseline} on {pair[1]}, by pretraining samples per class of "
        f"{pair[0]}",
        (
            *_sizes(answer),
            *([Column("interval", percent, hint)] if answer.seeds > 1 else []),
            *([Column("p", "p", "Corrected for all augmentations and sizes")] if with_p else []),
            *([_established_column(several)] if with_p else []),
        ),
        rows,
        " ".join(_notes(answer)),
    )


def _established_column(several: bool) -> Column:
    """The column of `_words`, whose title must not be read as of the average, beside it."""
    title = "established anywhere" if several else "established"
    hint = "At some size, or on average" if several else ""
    return Column("established", title, hint, words=True)


def _means(report: Report, answer: Answer) -> Table:
    pair, one, several = report.result.pairs[0], report.metric, len(answer.sizes) > 1

    def scaled(mean: MeanInterval) -> Entry:
        ends = {name: answer.factor * getattr(mean, name) for name in ("mean", "lower", "upper")}
        return mean_entry(replace(mean, **ends), answer.decimals)

    return Table(
        Summary.name,
        f"{capital(one.title)} on {pair[1]} in {one.unit}, by pretraining samples per class of "
        f"{pair[0]}",
        _sizes(answer),
        tuple(
            (
                Entry(row.augmentation, row.augmentation),
                *map(scaled, row.points),
                *([scaled(row.average)] if several else []),
            )
            for row in answer.means
        ),
    )


def _sizes(answer: Answer) -> tuple[Column, ...]:
    """The columns of the arm, the sizes and the average."""
    return (
        Column("augmentation", "augmentation", words=True),
        *(Column(str(size), str(size)) for size in answer.sizes),
        *([Column("average", "average", "Over the curve")] if len(answer.sizes) > 1 else []),
    )


def _notes(answer: Answer) -> Iterator[str]:
    """What the marks of the table mean, and the baseline's own means."""
    points = [one for row in answer.rows for one in (*row.points, row.average)]
    if any(one.claim for one in points):
        yield "▲ helps, ▼ hurts: established, corrected for all sizes and arms; else undecided."
    if any(one.claim and one.uneven for one in points):
        yield "△, ▽: for most seeds, though not for the mean."
    if any(one.collapsed for one in points):
        yield "✗: with cells near chance where others learn."
    for own in answer.means:
        told = ", ".join(
            f"{number_text(answer.factor * mean.mean, answer.decimals)} at {size}"
            for size, mean in zip(answer.sizes, own.points, strict=True)
            if mean.n
        )
        yield f"{own.augmentation} itself{' in %' if answer.shares else ''}: {told}."


class _Tints:
    """The tint of a difference: its share of the largest one in the table."""

    def __init__(self, answer: Answer, sign: int) -> None:
        points = [one for row in answer.rows for one in (*row.points, row.average)]
        known = [abs(one.difference.mean) for one in points if one.difference.n]
        self._most, self._sign = max([*known, 1e-12]), sign

    def of(self, one: Point) -> int:
        """From −4 to 4; 0 for a difference under an eighth of the largest."""
        if not one.difference.n or math.isnan(one.difference.mean):
            return 0
        return round(self._sign * _TONES * one.difference.mean / self._most)


def arm_id(report: Report, pair: int, label: str) -> str:
    """The id of the element with an arm's verdict, of the pair of that number."""
    return f"arm-{pair}-{report.result.augmentations.index(label)}"


def _whole(row: Row) -> Point:
    """The point that sums up a row; of a study of one size, that size."""
    return row.average if len(row.points) > 1 else row.points[0]


def _point(one: Point, answer: Answer, tints: _Tints) -> Entry:
    d = one.difference
    if not d.n:
        return Entry("·", None, n=0)
    low = "✗" if one.collapsed and one.size is not None else ""
    mean, lower, upper = (answer.factor * end for end in (d.mean, d.lower, d.upper))
    text = f"{signed_text(mean, answer.decimals)}{one.mark}{low}"
    return Entry(text, mean, lower, upper, d.n, tone=tints.of(one))


def _interval(one: Point, answer: Answer) -> Entry:
    low, high = (answer.factor * end for end in (one.difference.lower, one.difference.upper))
    text = interval_text(low, high, answer.decimals, sign=True)
    return Entry(text or "–", None if math.isnan(low) else low)


def _words(row: Row) -> str:
    claims = {one.claim for one in (*row.points, row.average)}
    told = [word for sign, word in ((1, "helps"), (-1, "hurts")) if sign in claims]
    return " and ".join(told) or "undecided"


def _established(report: Report, pair: Pair) -> list[str]:
    """The augmentations of which anything is established."""
    analysis = report.comparisons(pair)
    if analysis is None:
        return []
    return [c.augmentation for c in analysis.comparisons if told_claims(c, analysis).any]
