"""What the terminal says, as one JSON object for other programs; see docs/command-line.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from augbench import __version__
from augbench.protocol.readouts import READOUTS
from augbench.reports._json import to_text
from augbench.reports.answer import answer_of
from augbench.reports.compare import SideBySide, StoreComparison
from augbench.results import Pair, StudyResult
from augbench.statistics import Analysis, Comparison, MeanInterval, SizeComparison, as_plain

__all__ = [
    "VERSION",
    "comparison_object",
    "counts_object",
    "failures_object",
    "json_text",
    "result_object",
    "study_object",
]

VERSION = 1
"""Rises when an entry is renamed, removed or changes its meaning; new entries do not raise it."""


def json_text(kind: str, content: dict[str, Any]) -> str:
    """The text of an object of that kind, which says its kind and version first."""
    return to_text({"kind": kind, "version": VERSION, "augbench": __version__, **content})


def result_object(
    result: StudyResult,
    *,
    confidence: float = 0.95,
    written: Sequence[Path] = (),
    registered: str = "",
) -> dict[str, Any]:
    """A study, its answer, its summary under every condition, its failures, and files written.

    The condition of the report, its budget and its view, is `shown`; scores are as they are
    stored (accuracies are shares in [0, 1]).
    """
    return {
        "study": study_object(result),
        "cells": counts_object(result),
        "metric": {
            "name": result.metric,
            "title": result.primary.title,
            "better": result.primary.better,
        },
        "confidence": confidence,
        "answer": as_plain(answer_of(result, confidence=confidence)),
        "registered": registered or None,
        "other_studies": result.other_studies or None,
        "conditions": list(_conditions(result, confidence)),
        "failures": failures_object(result),
        "written": [str(path) for path in written],
    }


def study_object(result: StudyResult) -> dict[str, Any]:
    """What a study is of."""
    stored = result.stored
    return {
        "number": stored.id,
        "in_store": len(stored.in_store),
        "command": stored.command,
        "pairs": [list(pair) for pair in result.pairs],
        "arms": list(result.augmentations),
        "baseline": result.baseline,
        "backbone": stored.description["backbone"]["label"],
        "samples_per_class": list(result.sizes),
        "budgets": list(result.budgets),
        "primary_budget": result.primary_budget,
        "seeds": result.seeds,
    }


def counts_object(result: StudyResult) -> dict[str, int]:
    """The number of different cells that are planned, done, failed and missing."""
    # Two data sets of one content share cells.
    cells = {cell.key: cell.status for cell in result.all_cells}
    counts = Counter(cells.values())
    return {
        "planned": len(cells),
        "done": counts["ok"],
        "failed": counts["failed"],
        "missing": counts["missing"],
        "damaged": len(result.stored.damaged),
    }


def failures_object(result: StudyResult) -> list[dict[str, Any]]:
    """Each failed cell: its place, the kind of failure, and the error in one line."""
    cells = {cell.key: cell for cell in result.failed}.values()
    return [
        {"cell": cell.place, "kind": cell.result.failure, "error": cell.result.error}
        for cell in cells
        if cell.result is not None
    ]


def comparison_object(
    found: StoreComparison, folders: Sequence[Path], results: Sequence[StudyResult]
) -> dict[str, Any]:
    """Two studies side by side."""
    return {
        "studies": [
            {"folder": str(folder), "number": result.stored.id, "view": view.label}
            for folder, result, view in zip(folders, results, found.views, strict=True)
        ],
        "metric": results[0].metric,
        "settings": _differences(found.settings),
        "environments": _differences(found.environments),
        "cells": {
            "in_both": found.same_keys,
            "only_first": found.only_first,
            "only_second": found.only_second,
        },
        "disagree": [
            {"cell": place, "metric": one.metric, "first": one.first, "second": one.second}
            for place, metrics in found.disagree
            for one in metrics
        ],
        "not_compared": list(found.unlike),
        "other_splits": list(found.resplit),
        "rows": [_side_by_side(row) for row in found.rows],
    }


def _differences(rows: Iterable[tuple[str, str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "first": first, "second": second} for name, first, second in rows]


def _side_by_side(row: SideBySide) -> dict[str, Any]:
    return {
        "pretrain_dataset": row.pair[0],
        "finetune_dataset": row.pair[1],
        "arm": row.augmentation,
        "samples_per_class": row.samples_per_class,
        "first": _interval(row.first),
        "second": _interval(row.second),
        "difference": _interval(row.difference),
    }


def _conditions(result: StudyResult, confidence: float) -> Iterator[dict[str, Any]]:
    for pair in result.pairs:
        for budget in (result.primary_budget, *result.other_budgets[::-1]):
            for view in result.views:
                if not READOUTS[view.readout].has(result.metric):
                    continue  # as nearest neighbours have no log loss
                at = result.at(budget, view)
                yield {
                    "pretrain_dataset": pair[0],
                    "finetune_dataset": pair[1],
                    "budget": budget,
                    "readout": view.readout,
                    "finetune_samples_per_class": view.finetune_samples,
                    "tuned": view.tuned,
                    "primary": at.condition(pair).primary,
                    "shown": (budget, view) == (result.budget, result.view),
                    "guessing": at.guessing(pair),
                    "rows": _rows(at, pair, confidence),
                }


def _rows(result: StudyResult, pair: Pair, confidence: float) -> list[dict[str, Any]]:
    """Each arm at each size, then on average over the sizes, where it is None."""
    analysis = result.analysis(pair, confidence=confidence)
    compared = {one.augmentation: one for one in analysis.comparisons} if analysis else {}
    areas = {curve.augmentation: curve.aulc for curve in analysis.curves} if analysis else {}
    rows = []
    for arm in result.augmentations:
        one = compared.get(arm)
        intervals = result.intervals(pair, arm, confidence=confidence)
        for k, (size, interval) in enumerate(zip(result.sizes, intervals, strict=True)):
            against = _against(one.by_size[k], analysis) if one and analysis else {}
            rows.append({"arm": arm, "samples_per_class": size, **_interval(interval), **against})
        if arm in areas:
            against = _against(one, analysis) if one and analysis else {}
            rows.append({"arm": arm, "samples_per_class": None, **_interval(areas[arm]), **against})
    return rows


def _against(one: Comparison | SizeComparison, analysis: Analysis) -> dict[str, Any]:
    """The difference from the baseline, paired by seed; p is corrected over sizes and arms."""
    p = one.p_adjusted
    return {
        "difference": _interval(one.difference),
        "p_corrected": p,
        "established": p <= analysis.alpha,
        "reachable": one.reachable,
    }


def _interval(one: MeanInterval) -> dict[str, Any]:
    return {"mean": one.mean, "lower": one.lower, "upper": one.upper, "n": one.n}
