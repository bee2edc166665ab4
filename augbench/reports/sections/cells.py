"""Every planned cell: computed, failed with its error, or not computed yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from augbench.options import named
from augbench.protocol.metrics import PRIMARY
from augbench.protocol.references import size_title
from augbench.reports._formatting import number_text
from augbench.reports._tables import Column, Entry, Table, metric_column
from augbench.reports.sections._section import Report, Section
from augbench.results import StudyResult, View
from augbench.store import PlannedCell

__all__ = ["Cells"]


class Cells(Section):
    """The status of every planned cell."""

    name = "cells"
    of_view = False
    chapter = "status"

    def study_table(self, report: Report) -> Table:
        """The status of every planned cell."""
        rows, budgets, views = [], report.result.budgets, report.result.views
        names = [view.label for view in views]
        others = [report.metric] if report.metric is not PRIMARY else []
        for cell, row in zip(report.result.cells, report.result.cell_rows(), strict=True):
            size, finished = row["samples_per_class"], row["finished_at"] or ""
            view = View.of(cell).label  # floor and ceiling stand at the defaults
            rows.append(
                (
                    Entry(f"{row['pretrain_dataset']} → {row['finetune_dataset']}", ""),
                    Entry(row["augmentation"], row["augmentation"]),
                    Entry(row["budget"], budgets.index(row["budget"])),
                    *([Entry(view, names.index(view))] * (len(views) > 1)),
                    Entry(size_title(size), size),
                    Entry(str(row["seed"]), row["seed"]),
                    Entry(row["status"], row["status"]),
                    _accuracy(row),
                    *(_number(row.get(one.name), one.factor, one.decimals) for one in others),
                    _number(row["seconds"], 1, 2),
                    Entry(row["engine"] or "–", row["engine"] or ""),
                    Entry(row["device"] or "–", row["device"] or ""),
                    Entry("–") if row["environment"] is None else _count(row["environment"] + 1),
                    Entry(finished[:19].replace("T", " ") or "–", finished),
                    Entry(row["error"] or "", row["error"] or ""),
                )
            )
        return Table(
            self.name,
            "Every planned cell",
            (
                Column("pair", "pair", words=True),
                Column("augmentation", "augmentation", words=True),
                Column("budget", "budget", "Length of pretraining", words=True),
                *([Column("view", "readout", "Tuned or not", words=True)] * (len(views) > 1)),
                Column("size", "s", "Pretraining samples per class"),
                Column("seed", "seed"),
                Column("status", "status", words=True),
                metric_column(PRIMARY),
                *(metric_column(one) for one in others),
                Column("seconds", "seconds", "The cell's share of the time"),
                Column("engine", "engine", words=True),
                Column("device", "device", words=True),
                Column("environment", "env", "Number of the environment, below"),
                Column("finished", "finished (UTC)", words=True),
                Column("error", "error", words=True),
            ),
            tuple(rows),
        )

    def closing_lines(self, report: Report) -> Sequence[str]:
        """The failed cells with their errors, and the numbers of those that lack a result."""
        result = report.result
        lines = [
            f"failed: {', '.join([cell.place, *_apart(result, cell)])}: "
            f"{cell.result.error if cell.result else ''}"
            for cell in result.failed
        ]
        if missing := len({cell.key for cell in result.missing}):
            lines.append(f"{missing} cells are not computed yet")
        done = [cell for cell in result.cells if cell.status == "ok"]
        lacking = sum(not result.has_predictions(cell) for cell in done)
        if report.metric.from_predictions and lacking:
            lines.append(
                f"{lacking} cells were stored without predicted classes, from which "
                f"{report.metric.short} comes: `augbench run` computes them anew with "
                f"{named('metric', report.metric.name)}"
            )
        return lines

    def page(self, report: Report) -> dict[str, Any]:
        """The number of cells of each status."""
        return {"counts": Counter(cell.status for cell in report.result.cells)}


def _apart(result: StudyResult, cell: PlannedCell) -> Iterator[str]:
    """The words that tell a cell from others of its place: budget, readout, trial, tuned."""
    if len(result.budgets) > 1:
        yield cell.budget
    if len(result.views) > 1 or cell.role == "trial":
        yield View.of(cell).label
    if cell.role == "trial":
        yield f"trial {1 + (cell.trial or 0)}"


def _accuracy(row: Mapping[str, Any]) -> Entry:
    entry = _number(row.get(PRIMARY.name), PRIMARY.factor, PRIMARY.decimals)
    return replace(entry, text=f"{entry.text} (collapsed)") if row["collapsed"] else entry


def _number(value: float | None, factor: float, decimals: int) -> Entry:
    if value is None:
        return Entry("–")
    return Entry(number_text(factor * value, decimals), factor * value)


def _count(number: int) -> Entry:
    return Entry(str(number), number)
