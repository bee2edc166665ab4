"""What the page's script draws and offers for download: curves of every metric, and all cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augbench.exchange.exporting import cell_rows, environments, study_summary, to_csv
from augbench.protocol.metrics import METRICS, Metric
from augbench.protocol.references import REFERENCES
from augbench.results import Pair, StudyResult
from augbench.statistics import Analysis, Verdict, as_plain, mean_interval

__all__ = ["page_data"]


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
            "study": study_summary(result),
            "confidence": confidence,
            "environments": environments(result),
            "pairs": [
                {
                    "pair": list(pair),
                    "analysis": as_plain(analysis),
                    "verdicts": [as_plain(one) for one in said],
                }
                for pair, analysis, said in zip(result.pairs, analyses, verdicts, strict=True)
            ],
            "cells": cell_rows(result),
        },
    }


def _curves(result: StudyResult, confidence: float) -> dict[str, Any]:
    sizes = tuple(sorted({*result.sizes, *result.ruler_sizes}))
    there = [one for one in METRICS if one.drawn and _present(result, one.name)]
    return {
        "augmentations": list(result.augmentations),
        "baseline": result.baseline,
        "sizes": list(sizes),
        "seeds": result.seeds,
        "confidence": confidence,
        "metrics": [
            {
                "name": one.name,
                "title": one.title,
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
    values = {
        label: metric.factor * result.values(pair, label, sizes, metric.name)
        for label in result.augmentations
    }  # [n, K] each
    baseline = result.baseline
    references = {}
    if baseline is not None and result.stored.description["references"]:
        for one in REFERENCES:
            values_of = result.values(pair, baseline, (one.samples_per_class,), metric.name)
            references[one.name] = {
                **_arm(metric.factor * values_of, confidence),
                "words": one.words,
            }
    return {
        "arms": [_arm(table, confidence) for table in values.values()],
        "differences": None
        if baseline is None
        else [
            None if label == baseline else _arm(table - values[baseline], confidence)
            for label, table in values.items()
        ],
        "references": references,
    }


def _arm(values: NDArray[np.float64], confidence: float) -> dict[str, Any]:
    rows = [mean_interval(column, confidence=confidence) for column in values.T]
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
