"""The table of means that fills while a study runs, about the metric of the run."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from rich.table import Table

from augbench.api import Plan
from augbench.protocol.cell_result import CellResult
from augbench.protocol.metrics import PRIMARY, Metric, metric
from augbench.protocol.study import Budget, Cell
from augbench.reports.console import plain
from augbench.reports.sections.accuracy import terminal_caption
from augbench.results import Pair, StudyResult, View, metric_of_result
from augbench.store import Store

__all__ = ["LiveTable"]

_Place = tuple[Pair, str, int | None, Budget | None, str, int | None, bool]
"""Pair, arm, size, budget, readout, finetuning images, and whether its settings were chosen."""

_GAP = "…"
"""Stands for the sizes that do not fit beside the names."""


class LiveTable:
    """The results of a plan as they come."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.metric: Metric = metric(plan.options.metric)
        self._values: dict[_Place, list[float]] = defaultdict(list)
        self._failures: dict[_Place, int] = defaultdict(int)
        self.tuned = False

    def take_stored(self, cells: Sequence[Cell], stored: Mapping[str, float]) -> None:
        """Show the cells that are stored, by their accuracies or by what the store holds."""
        values = stored
        if self.metric is not PRIMARY and stored:
            values = self._stored_values()
        for cell in cells:
            if cell.key in stored and cell.trial is None:
                self._add(cell, values.get(cell.key, math.nan))

    def take(self, cell: Cell, result: CellResult) -> str:
        """Fill in a cell; returns the outcome in words."""
        if not result.ok:
            self._failures[_place(cell)] += 1
            return f"FAILED: {result.error}"
        one = self.metric
        value = metric_of_result(result, one.name, cell.finetune, self._plan.study.shift)
        if cell.trial is not None:  # measured on validation images, by accuracy alone
            one, value = PRIMARY, result.metrics.get(PRIMARY.name, math.nan)
        else:
            self._add(cell, value)
        return f"{one.short} {value:.4f}" if not math.isnan(value) else "done"

    def tables(self, width: int) -> list[Table]:
        """A table for each pair, of the primary budget and the first readout."""
        study = self._plan.study
        readout, finetune_size = study.readings[0][0], study.largest_finetune_size
        shown = (study.judged_by, readout, finetune_size, self.tuned)
        view, found = View(readout, finetune_size, self.tuned), []
        for pretrain, finetune in study.pairs:
            pair = (pretrain.name, finetune.name)
            rows = [
                [
                    study.shown[arm.label],
                    *(
                        self._entry((pair, arm.label, size, *shown), study.seeds)
                        for size in study.samples_per_class
                    ),
                ]
                for arm in study.arms
            ]
            heads = ["samples per class", *map(str, study.samples_per_class)]
            found.append(_table(terminal_caption(pair, self.metric, view), heads, rows, width))
        return found

    def _add(self, cell: Cell, value: float) -> None:
        if not math.isnan(value):
            self._values[_place(cell)].append(value)

    def _stored_values(self) -> dict[str, float]:
        with Store.read(self._plan.options.out) as store:
            result = StudyResult(store.study(), metric=self.metric.name)
        return {cell.key: result.metric_of(cell, self.metric.name) for cell in result.cells}

    def _entry(self, place: _Place, seeds: int) -> str:
        values, failures = self._values[place], self._failures[place]
        one = self.metric
        mean = one.factor * sum(values) / max(1, len(values))
        text = f"{mean:.{one.decimals_of_mean}f}" if values else "·"
        if values and len(values) < seeds:
            text += f" {len(values)}/{seeds}"
        return text + (f" {failures} failed" if failures else "")


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Table:
    """A table no wider than that: where sizes do not fit, those in the middle are left out.

    Names are whole as long as one size fits beside them.
    """
    columns = list(zip(heads, *rows, strict=True))
    # With padding and a line each; the first head may be broken at its spaces.
    names = 3 + max(map(len, [*heads[0].split(), *columns[0][1:]]))
    widths = [names, *(3 + max(map(len, column)) for column in columns[1:])]
    kept = list(range(1, len(columns)))

    def cut() -> bool:
        return len(kept) < len(columns) - 1

    while len(kept) > 1 and 1 + names + sum(widths[k] for k in kept) + 4 * cut() > width:
        del kept[-2]  # the first sizes and the last one stay
    shown: list[int | None] = [*kept[:-1], *([None] if cut() else []), *kept[-1:]]
    table = Table(title=plain(caption), title_justify="left", title_style="bold")
    table.add_column(plain(heads[0]), overflow="fold")
    for k in shown:
        table.add_column(_GAP if k is None else plain(heads[k]), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(plain(row[0]), *(_GAP if k is None else plain(row[k]) for k in shown))
    return table


def _place(cell: Cell) -> _Place:
    return (
        (cell.pretrain.name, cell.finetune.name),
        cell.arm.label,
        cell.samples_per_class,
        cell.budget,
        cell.readout,
        cell.finetune_size,
        cell.chosen is not None,
    )
