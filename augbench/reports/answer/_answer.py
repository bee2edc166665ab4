"""The answer as values: a sentence, a table of differences, and what disagrees or limits it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from augbench.protocol.metrics import PRIMARY, Metric
from augbench.reports.answer._cautions import cautions_of
from augbench.reports.answer._conditions import disagreements_of
from augbench.results import Pair, StudyResult
from augbench.statistics import (
    ALPHA,
    Analysis,
    Comparison,
    MeanInterval,
    advice,
    advice_line,
    aulc,
    mean_interval,
)
from augbench.statistics.claims import told_claims
from augbench.text import shown

__all__ = ["Answer", "Means", "Point", "Row", "answer_of"]

_MARKS = {(1, False): "▲", (-1, False): "▼", (1, True): "△", (-1, True): "▽"}


@dataclass(frozen=True)
class Point:
    """A difference from the baseline, on the metric's scale: at one size, or of the average.

    `claim` is 1 where it is established to help, −1 to hurt, 0 where nothing is decided; `p` is
    corrected for all arms and sizes. With `uneven`, the claim is about most seeds and not about
    the mean. `collapsed` counts the arm's cells that are near chance where others learn.
    """

    size: int | None
    difference: MeanInterval
    p: float
    claim: int
    uneven: bool
    collapsed: int

    @property
    def mark(self) -> str:
        """The sign of its claim, hollow where that is about most seeds; "" where undecided."""
        return _MARKS.get((self.claim, self.uneven), "")


@dataclass(frozen=True)
class Row:
    """An arm: its difference from the baseline at each size, and on average over the curve."""

    augmentation: str
    points: tuple[Point, ...]
    average: Point

    def __repr__(self) -> str:
        mean = self.average.difference.mean
        return f"<Row {shown(self.augmentation)}: {mean:+.4g} on average, p = {self.average.p:.2g}>"

    @property
    def decided(self) -> bool:
        """True where anything is established of it."""
        return any(one.claim for one in (*self.points, self.average))


@dataclass(frozen=True)
class Means:
    """An arm's own means at each size, and of the average over its curve.

    `collapsed` counts its cells at each size that are near chance where others learn.
    """

    augmentation: str
    points: tuple[MeanInterval, ...]
    average: MeanInterval
    collapsed: tuple[int, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What a study found in its primary condition, or in the one that its results are at.

    `setting` names the condition; `headline` says what to use. `means` are the baseline's own, or
    without a baseline every arm's, the best first; `rows` hold the differences from the baseline,
    sorted by their average, the best first. Both are printed times `factor`, differences in `unit`.
    `testable` is false where the seeds are too few for any claim. `disagreements` are lines on
    other conditions of the study, which are exploratory, `cautions` lines on what limits the
    answer.
    """

    setting: str
    headline: str
    baseline: str
    sizes: tuple[int, ...]
    seeds: int
    testable: bool
    confidence: float
    alpha: float
    factor: float
    decimals: int
    unit: str
    shares: bool
    means: tuple[Means, ...]
    rows: tuple[Row, ...]
    disagreements: tuple[str, ...]
    cautions: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<Answer for {shown(self.setting)}: {shown(self.headline)}>"


def answer_of(result: StudyResult, pair: Pair | None = None, *, confidence: float = 0.95) -> Answer:
    """Read the answer of a pair, by default the first, at the results' budget and in their view."""
    pair = pair or result.pairs[0]
    analysis = result.analysis(pair, confidence=confidence)
    metric, scale = result.primary, result.scale
    return Answer(
        setting=_setting(result, pair),
        headline=_headline(result, pair, analysis, confidence),
        baseline=result.baseline or "",
        sizes=result.sizes,
        seeds=result.seeds,
        testable=analysis is not None and analysis.testable,
        confidence=confidence,
        alpha=ALPHA if analysis is None else analysis.alpha,
        factor=scale.factor,
        decimals=metric.decimals_of_mean,
        unit=scale.unit,
        shares=scale.shares,
        means=_means(result, pair, confidence),
        rows=() if analysis is None else _rows(analysis),
        disagreements=disagreements_of(result, pair, confidence=confidence),
        cautions=cautions_of(result, pair, analysis, confidence=confidence),
    )


def _means(result: StudyResult, pair: Pair, confidence: float) -> tuple[Means, ...]:
    scores, baseline = result.scores(pair), result.baseline
    arms = scores if baseline is None else {baseline: scores[baseline]}
    low = result.collapsed(pair)
    found = [
        Means(
            label,
            tuple(mean_interval(column, confidence=confidence) for column in own.T),
            mean_interval(aulc(own, result.sizes), confidence=confidence),
            tuple(low[label].sum(axis=0).tolist()),
        )
        for label, own in arms.items()
        if not np.isnan(own).all()
    ]
    sign = result.scale.sign
    return tuple(sorted(found, key=lambda one: -sign * np.nan_to_num(one.average.mean)))


def _setting(result: StudyResult, pair: Pair) -> str:
    view, guessing, metric = result.view, result.guessing(pair), result.primary
    parts = [
        f"{pair[0]} → {pair[1]}",
        f"{result.seeds} seed{'' if result.seeds == 1 else 's'}",
        *([] if metric is PRIMARY else [_title(metric)]),
        *([] if math.isnan(guessing) else [f"chance {_number(metric.factor * guessing)} %"])[
            : metric.factor == 100
        ],
        result.budget + (" (named as primary)" if _is_named(result) else ""),
        *([view.words] if view.words else []),
        *([] if view.tuned else ["untuned"]),
        f"on {base}" if (base := result.stored.description.get("base")) else "no base",
    ]
    if not result.condition(pair).primary:
        parts.append("exploratory: not the study's primary condition")
    return " · ".join(parts)


def _is_named(result: StudyResult) -> bool:
    """True at a primary budget that is not the longest, as it is where a study names none."""
    return result.budget == result.primary_budget and result.budget != result.budgets[-1]


def _title(metric: Metric) -> str:
    return f"{metric.title} (lower is better)" if metric.better == "lower" else metric.title


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _headline(result: StudyResult, pair: Pair, analysis: Analysis | None, confidence: float) -> str:
    if analysis is None:
        if result.baseline is None:
            return "Nothing to compare: the study has no baseline."
        return "No results yet."
    if not analysis.comparisons:
        if result.baseline in result.augmentations and len(result.augmentations) == 1:
            return f"Nothing to compare: {result.baseline} is the study's only arm."
        return f"Nothing to compare: there are no {result.baseline!r} cells."
    if np.isnan(result.scores(pair)[analysis.baseline]).all():
        return (
            f"Nothing to compare: the baseline {analysis.baseline} has no results. Of the arms "
            "without it: augbench report --pairwise."
        )
    best = result.best_arms(pair, confidence=confidence)
    return advice_line(*advice(analysis, best), analysis)


def _rows(analysis: Analysis) -> tuple[Row, ...]:
    rows = [_row(c, analysis) for c in analysis.comparisons]
    sign = analysis.scale.sign

    def gain(row: Row) -> float:
        means = [row.average.difference.mean, *(one.difference.mean for one in row.points)]
        known = [sign * mean for mean in means if not math.isnan(mean)]
        return known[0] if known else -math.inf

    return tuple(sorted(rows, key=gain, reverse=True))


def _row(c: Comparison, analysis: Analysis) -> Row:
    claims = told_claims(c, analysis)
    signs = {row.size: 1 for row in claims.up} | {row.size: -1 for row in claims.down}
    doubted = {row.size for row in claims.in_doubt}
    low = c.collapses.treated_at
    return Row(
        c.augmentation,
        tuple(
            Point(
                one.size,
                one.difference,
                one.p_adjusted,
                signs.get(one.size, 0),
                one.size in doubted,
                sum(size == one.size for size, _ in low),
            )
            for one in c.by_size
        ),
        Point(None, c.difference, c.p_adjusted, claims.area, bool(claims.uneven), len(low)),
    )
