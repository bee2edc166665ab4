"""Environments of the cells, and a warning where compared cells ran in different ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from augbench.reports.sections._section import Report, Section
from augbench.results import StudyResult, View
from augbench.store import PlannedCell

__all__ = ["Environment"]


class Environment(Section):
    """The environments of the cells, and a warning where compared cells differ in theirs."""

    name = "environment"
    chapter = "environment"

    def page(self, report: Report) -> dict[str, Any]:
        """The environments, and a line for each mismatch."""
        return {
            "environments": _environments(report.result),
            "mismatches": _mismatches(report.result),
        }


def _environments(result: StudyResult) -> list[dict[str, Any]]:
    """Each environment: its number of cells, and its entries, marked where the first differs."""
    found = result.environments()
    counts = Counter(row["environment"] for row in result.cell_rows())
    return [
        {
            "cells": counts[i],
            "entries": [
                (name, str(value), value != found[0].get(name)) for name, value in one.items()
            ],
        }
        for i, one in enumerate(found)
    ]


def _conditions(cell: PlannedCell) -> dict[str, str]:
    """The environment, device and engine of a cell."""
    named: Mapping[str, Any] = {
        **cell.environment,
        "device": cell.device,
        "engine": cell.result.engine if cell.result else "",
    }
    return {name: str(value) for name, value in named.items()}


def _paired_by(cell: PlannedCell) -> tuple[object, ...]:
    """A value that two cells of one comparison share."""
    pair = cell.pretrain_dataset, cell.finetune_dataset
    view = View.of(cell)
    return (*pair, cell.budget, view, cell.samples_per_class, cell.seed)


def _mismatches(result: StudyResult) -> list[str]:
    """A line for each condition in which cells differ from the baseline cells they are paired with.

    Differences between conditions are not errors: numbers should agree up to rounding. A reader
    should know all the same.
    """
    if result.baseline is None:
        return []
    partners = {
        _paired_by(cell): cell
        for cell in result.cells
        if cell.augmentation == result.baseline and cell.status == "ok"
    }
    compared, found = 0, Counter[tuple[str, str, str]]()
    for cell in result.cells:
        where = _paired_by(cell)
        if cell.augmentation == result.baseline or cell.status != "ok" or where not in partners:
            continue
        compared += 1
        mine, theirs = _conditions(cell), _conditions(partners[where])
        for name in mine | theirs:
            pair = (mine.get(name, "unknown"), theirs.get(name, "unknown"))
            if pair[0] != pair[1]:
                found[(name, *pair)] += 1
    return [
        f"{name}: {count} of {compared} cells ran with {mine!r}, their baseline with {theirs!r}"
        for (name, mine, theirs), count in sorted(found.items())
    ]
