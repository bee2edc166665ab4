"""What the page's script draws and offers for download: curves of every metric, and all cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augbench.protocol.study import FLOOR
from augbench.reports.export import to_csv
from augbench.results import Pair, StudyResult
from augbench.statistics import Analysis, MeanInterval, Verdict, as_plain, mean_interval

__all__ = ["METRICS", "page_data"]

METRICS = (
    ("accuracy", "test accuracy", "%", 100, 2),
    ("ece", "calibration error (ECE)", "%", 100, 2),
    ("ece_scaled", "calibration error after scaling", "%", 100, 2),
    ("nll", "log loss", "nats", 1, 3),
    ("nll_scaled", "log loss after scaling", "nats", 1, 3),
    ("pretrain_accuracy", "accuracy of the pretraining head", "%", 100, 2),
)
"""Name, title, unit, factor and decimals of the metrics that curves are drawn of."""


def page_data(
    result: StudyResult,
    analyses: Sequence[Analysis | None],
    verdicts: Sequence[Sequence[Verdict]],
    confidence: float,
) -> dict[str, Any]:
    """Everything that is embedded in the page, ready for JSON.

    `curves` are for drawing, rounded to seven digits; `csv` is the text of `augbench export`, and
    `report` everything else in full precision.
    """
    return {
        "curves": _curves(result, confidence),
        "csv": to_csv(result),
        "report": {
            "study": result.plan(),
            "confidence": confidence,
            "environments": result.environments(),
            "pairs": [
                {
                    "pair": list(pair),
                    "analysis": as_plain(analysis),
                    "verdicts": [as_plain(one) for one in said],
                }
                for pair, analysis, said in zip(result.pairs, analyses, verdicts, strict=True)
            ],
            "cells": result.cell_rows(),
        },
    }


def _curves(result: StudyResult, confidence: float) -> dict[str, Any]:
    sizes = tuple(sorted({*result.sizes, *result.ruler_sizes}))
    there = [metric for metric in METRICS if _present(result, metric[0])]
    return {
        "augmentations": list(result.augmentations),
        "baseline": result.baseline,
        "sizes": list(sizes),
        "seeds": result.seeds,
        "confidence": confidence,
        "metrics": [
            {"name": name, "title": title, "unit": unit, "decimals": decimals}
            for name, title, unit, _, decimals in there
        ],
        "pairs": [
            {
                "pretrain": pair[0],
                "finetune": pair[1],
                "metrics": [
                    _metric(result, pair, name, factor, sizes, confidence)
                    for name, _, _, factor, _ in there
                ],
            }
            for pair in result.pairs
        ],
    }


def _metric(
    result: StudyResult,
    pair: Pair,
    metric: str,
    factor: float,
    sizes: tuple[int, ...],
    confidence: float,
) -> dict[str, Any]:
    baseline = result.baseline
    values = {
        label: factor * result.values(pair, label, sizes, metric) for label in result.augmentations
    }  # [n, K] each

    def arm(label: str, wanted: tuple[int | None, ...]) -> dict[str, Any]:
        rows = result.intervals(pair, label, wanted, metric, factor=factor, confidence=confidence)
        return _plain_curve(rows, factor * result.values(pair, label, wanted, metric))

    references = {}
    if baseline is not None and result.stored.description["references"]:
        references = {
            name: arm(baseline, (size,)) for name, size in (("floor", FLOOR), ("ceiling", None))
        }
    return {
        "arms": [arm(label, sizes) for label in result.augmentations],
        "differences": None
        if baseline is None
        else [
            None if label == baseline else _difference(table - values[baseline], confidence)
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


def _present(result: StudyResult, metric: str) -> bool:
    return any(cell.result and metric in cell.result.metrics for cell in result.cells)
