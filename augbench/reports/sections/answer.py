"""The answer, for the page: what to use where, and the table of differences that says why."""

from __future__ import annotations

import math
from typing import Any

from augbench.reports._formatting import interval_text, p_text, signed_text
from augbench.reports._ranking import by_effect
from augbench.reports._tables import Column, Entry, Table
from augbench.reports.answer import Answer, Point, Row, answer_of
from augbench.reports.sections._section import Report, Section
from augbench.results import Pair
from augbench.statistics.claims import claims_of

__all__ = ["Summary", "arm_id"]

_MARKS = {(1, False): "▲", (-1, False): "▼", (1, True): "△", (-1, True): "▽"}
_TONES = 4


class Summary(Section):
    """The headline and a row for each augmentation, the best first, in the primary condition."""

    name = "summary"
    chapter = "answer"

    def page(self, report: Report) -> dict[str, Any]:
        """The answer's sentences; its table is `study_table`."""
        return {"answer": _answer(report), "signs": self.study_table(report) is not None}

    def study_table(self, report: Report) -> Table | None:
        """Differences at each size and on average; None where nothing is compared."""
        answer = _answer(report)
        if not answer.rows:
            return None
        several = len(answer.sizes) > 1
        tints = _Tints(answer, report.scale.sign)
        rows = tuple(
            (
                Entry(row.augmentation, row.augmentation, link=arm_id(report, 0, row.augmentation)),
                *(_point(one, answer, tints) for one in row.points),
                *([_point(row.average, answer, tints)] if several else []),
                _interval(_whole(row), answer),
                Entry(p_text(_whole(row).p), _whole(row).p),
                Entry(_words(row), _words(row)),
            )
            for row in answer.rows
        )
        pair, own = report.result.pairs[0], answer.means
        plain = ", ".join(
            f"{answer.factor * mean.mean:.{answer.decimals}f} at {size}"
            for size, mean in zip(answer.sizes, own, strict=True)
            if mean.n
        )
        return Table(
            self.name,
            f"{answer.unit[:1].upper()}{answer.unit[1:]} above {answer.baseline} on {pair[1]}, by "
            f"pretraining samples per class of {pair[0]}",
            (
                Column("augmentation", "augmentation", words=True),
                *(Column(str(size), str(size)) for size in answer.sizes),
                *([Column("average", "average", "Over the curve")] if several else []),
                Column(
                    "interval",
                    f"{100 * answer.confidence:g} % interval",
                    "Of the average, paired by seed" if several else "Paired by seed",
                ),
                Column("p", "p", "Sign flips, corrected for all augmentations and sizes"),
                Column("established", "established", words=True),
            ),
            rows,
            "▲ helps, ▼ hurts: established; △, ▽: for most seeds, though not for the mean; ✗: with "
            f"cells near chance where others learn. {answer.baseline} itself: {plain}"
            f"{' %' if answer.shares else ''}.",
        )

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
            "summary": [row.augmentation for row in _answer(report).rows],
        }


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


def _answer(report: Report) -> Answer:
    return answer_of(report.result, confidence=report.confidence)


def _whole(row: Row) -> Point:
    """The point that sums up a row; of a study of one size, that size."""
    return row.average if len(row.points) > 1 else row.points[0]


def _point(one: Point, answer: Answer, tints: _Tints) -> Entry:
    d = one.difference
    if not d.n:
        return Entry("·", None, n=0)
    mark = _MARKS.get((one.claim, one.uneven), "")
    low = "✗" if one.collapsed and one.size is not None else ""
    mean, lower, upper = (answer.factor * end for end in (d.mean, d.lower, d.upper))
    text = f"{signed_text(mean, answer.decimals)}{mark}{low}"
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
    if analysis is None or analysis.unlearnt is not None:
        return []
    return [
        c.augmentation
        for c in analysis.comparisons
        if claims_of(c, analysis.alpha, analysis.scale).any
    ]
