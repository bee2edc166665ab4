"""Learning curves: the figure, and the page's curves of every metric."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augbench.protocol.metrics import METRICS, Metric
from augbench.protocol.references import REFERENCES
from augbench.reports._ranking import in_colour_order
from augbench.reports._static_chart import static_chart
from augbench.reports.sections._section import NamedFigure, Report, Section
from augbench.results import Pair, StudyResult
from augbench.statistics import MeanInterval, mean_interval

__all__ = ["LearningCurves"]


class LearningCurves(Section):
    """A metric against samples per class, a mean and a band for each augmentation."""

    name = "learning_curves"
    chapter = "curves"

    def figures(self, report: Report, pair: Pair) -> Iterator[NamedFigure]:
        """The study's metric, with single seeds, ruler, floor and ceiling."""
        from augbench.plotting import slug
        from augbench.reports.figures.curves import learning_curves

        figure = learning_curves(report.result, pair, confidence=report.confidence)
        yield NamedFigure(f"learning-curves-{slug(*pair)}", figure)

    def study_figures(self, report: Report) -> Iterator[NamedFigure]:
        """The curves of all pairs beside each other, where there are several."""
        if len(report.result.pairs) > 1:
            from augbench.reports.figures.curves import curves_of_all_pairs

            figure = curves_of_all_pairs(report.result, confidence=report.confidence)
            yield NamedFigure("learning-curves-all-pairs", figure)

    def page(self, report: Report) -> dict[str, Any]:
        """For each pair, the curves of the study's metric for a viewer that runs no script."""
        return {
            "static_charts": [
                static_chart(report.result, pair, report.confidence) for pair in report.result.pairs
            ]
        }

    def data(self, report: Report) -> dict[str, Any]:
        """The curves that the page's script draws, rounded to seven digits."""
        return {"curves": _curves(report.result, report.confidence)}


def _curves(result: StudyResult, confidence: float) -> dict[str, Any]:
    sizes = tuple(sorted({*result.sizes, *result.ruler_sizes}))
    there = [one for one in METRICS if one.drawn and _present(result, one)]
    there.sort(key=lambda one: one is not result.primary)  # which the page shows first
    return {
        "augmentations": list(result.augmentations),
        "colours": in_colour_order(result),
        "baseline": result.baseline,
        "sizes": list(sizes),
        "seeds": result.seeds,
        "confidence": confidence,
        "metrics": [
            {
                "name": one.name,
                "title": one.title + (result.view.remark if one.of == "finetuning" else ""),
                "of": one.of,
                "unit": one.unit,
                "unit_of_difference": one.unit_of_difference,
                "better": one.better,
                "decimals": one.decimals,
            }
            for one in there
        ],
        "pairs": [
            {
                "pretrain": pair[0],
                "finetune": pair[1],
                "metrics": [_metric(result, pair, one, sizes, confidence) for one in there],
            }
            for pair in result.pairs
        ],
    }


def _metric(
    result: StudyResult,
    pair: Pair,
    metric: Metric,
    sizes: tuple[int, ...],
    confidence: float,
) -> dict[str, Any]:
    baseline = result.baseline
    values = {
        label: metric.factor * result.values(pair, label, sizes, metric.name)
        for label in result.augmentations
    }  # [n, K] each

    low = {label: one.sum(axis=0) for label, one in result.collapsed(pair, sizes).items()}  # [K]

    def arm(label: str, wanted: tuple[int | None, ...]) -> dict[str, Any]:
        rows = result.intervals(
            pair, label, wanted, metric.name, factor=metric.factor, confidence=confidence
        )
        return _plain_curve(rows, metric.factor * result.values(pair, label, wanted, metric.name))

    references = {}
    if baseline is not None and result.has_references:
        references = {
            one.name: {**arm(baseline, (one.samples_per_class,)), "words": one.words}
            for one in REFERENCES
        }
    return {
        "arms": [
            {**arm(label, sizes), "collapsed": low[label].tolist()}
            for label in result.augmentations
        ],
        "differences": None
        if baseline is None
        else [
            None
            if label == baseline
            else {
                **_difference(table - values[baseline], confidence),
                "collapsed": (low[label] + low[baseline]).tolist(),
            }
            for label, table in values.items()
        ],
        "references": references,
    }


def _difference(delta: NDArray[np.float64], confidence: float) -> dict[str, Any]:
    rows = [mean_interval(column, confidence=confidence) for column in delta.T]
    return _plain_curve(rows, delta)


def _plain_curve(rows: Sequence[MeanInterval], values: NDArray[np.float64]) -> dict[str, Any]:
    """Intervals of each size and the values [n, K] behind them, without NaN, which JSON lacks."""
    return {
        "mean": [_short(row.mean) for row in rows],
        "lower": [_short(row.lower) for row in rows],
        "upper": [_short(row.upper) for row in rows],
        "n": [row.n for row in rows],
        "seeds": [[_short(float(value)) for value in seed] for seed in values],
    }


def _short(value: float) -> float | None:
    return float(f"{value:.7g}") if math.isfinite(value) else None


def _present(result: StudyResult, metric: Metric) -> bool:
    if metric.name == "balanced_accuracy" and metric is not result.primary:
        balances = [result.balance(pair) for pair in result.pairs]
        if all(one is not None and len({*one.images}) == 1 for one in balances):
            return False  # it is the accuracy
    if metric.from_predictions:
        return any(result.has_predictions(cell) for cell in result.shown_cells)
    if metric.from_shift:
        return bool(result.shift_tests)
    return any(cell.result and metric.name in cell.result.metrics for cell in result.shown_cells)
