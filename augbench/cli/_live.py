"""The display of `augbench run` while it works: a filling table, or plain lines."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

import rich.console
from rich.console import Group, RenderableType
from rich.live import Live as RichLive
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from augbench.api import Observer, Plan
from augbench.options import reported
from augbench.protocol.cell_result import CellResult
from augbench.protocol.metrics import PRIMARY
from augbench.protocol.study import Budget, Cell, Study, place_name
from augbench.reports.console import Console, plain
from augbench.reports.terminal import new_accuracy_table
from augbench.results import Pair, View
from augbench.running.keeping import kept_size
from augbench.training.packs import units_of

__all__ = ["Live", "print_plan"]

_UNITS = ("bytes", "kB", "MB", "GB", "TB")

_Place = tuple[Pair, str, int | None, Budget | None, str, int | None, bool]
"""Pair, arm, size, budget, readout, finetuning images, and whether its settings were chosen."""


class Live(Observer):
    """Shows a study being computed: a filling table in a terminal, plain lines elsewhere."""

    def __init__(
        self, console: rich.console.Console | None = None, *, verbose: bool = False
    ) -> None:
        self._verbose = verbose
        self._console = console or Console()
        self._errors = Console(stderr=True)
        self._values: dict[_Place, list[float]] = defaultdict(list)
        self._failures: dict[_Place, int] = defaultdict(int)
        self._plan: Plan | None = None
        self._tuned = False
        self._ended = self._to_compute = 0
        self._notes: list[str] = []
        self._waiting = ""
        self._start = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._live: RichLive | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
        for text in self._notes:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        if isinstance(error, KeyboardInterrupt):
            self._errors.print(
                f"{self._ended} new cells are stored; the same command goes on from there",
                markup=False,
            )

    def planned(self, plan: Plan, stored: Mapping[str, float]) -> None:
        """Show what is there already, and start the clock."""
        self._plan = plan
        missing = self._take(plan.cells, stored)
        # Data sets of one content, and arms of one kind, share cells.
        cells = list({cell.key: cell for cell in plan.cells}.values())
        self._console.print(
            f"{len(cells)} cells{_trials(cells)}: {len(cells) - len(missing)} in "
            f"the store, {len(missing)} to compute ({plan.options.out})",
            markup=False,
            highlight=False,
        )
        if missing and self._console.is_terminal:
            # A step of pretraining costs several of finetuning, but their ratio is the same
            # for every cell: steps are a fair clock.
            self._progress.add_task("cells 0", total=sum(cell.steps for cell in missing))
            self._live = RichLive(
                get_renderable=self._render, console=self._console, refresh_per_second=4
            )
            self._live.start()

    def chosen(self, cells: Sequence[Cell], stored: Mapping[str, float]) -> None:
        """Go on with the results of what the trials have chosen."""
        missing, self._tuned = self._take(cells, stored), True
        if self._live is not None:
            (task,) = self._progress.tasks
            left = sum(cell.steps for cell in missing)
            self._progress.update(task.id, total=(task.total or 0) + left)
        self._console.print(
            f"the trials have chosen: {len({cell.key for cell in cells})} further cells, "
            f"{len(missing)} to compute",
            markup=False,
            highlight=False,
        )

    def _take(self, cells: Sequence[Cell], stored: Mapping[str, float]) -> list[Cell]:
        """Show those of some cells that are stored; returns the others."""
        missing = {cell.key: cell for cell in cells if cell.key not in stored}
        for cell in cells:
            if cell.key in stored and cell.trial is None:
                self._values[_place(cell)].append(stored[cell.key])
        self._to_compute += len(missing)
        return list(missing.values())

    def progressed(self, steps: int) -> None:
        """Move the bar."""
        if self._live is not None:
            self._progress.advance(self._progress.task_ids[0], steps)

    def finished(self, cell: Cell, result: CellResult) -> None:
        """Fill in a cell."""
        assert self._plan is not None
        self._ended += 1
        place, name = _place(cell), _name(cell, self._plan.study)
        if result.ok:
            if cell.trial is None:
                self._values[place].append(result.metrics[PRIMARY.name])
            outcome = f"{PRIMARY.short} {result.metrics[PRIMARY.name]:.4f}"
        else:
            self._failures[place] += 1
            outcome = f"FAILED: {result.error}"
        if self._live is not None:
            self._progress.update(
                self._progress.task_ids[0],
                description=f"cells {self._ended}/{self._to_compute}",
            )
            if not result.ok:
                self._live.console.print(f"{name}: {outcome}", markup=False)
            return
        left = (time.monotonic() - self._start) / self._ended * (self._to_compute - self._ended)
        self._console.print(
            f"[{self._ended}/{self._to_compute}] {name}: {outcome} "
            f"({result.seconds:.1f} s, {_duration(left)} left)",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    def waiting(self, text: str) -> None:
        """Say what is waited for, each thing once."""
        if text != self._waiting:
            self._waiting = text
            console = self._live.console if self._live is not None else self._console
            console.print(text, markup=False, highlight=False, soft_wrap=True)

    def noted(self, text: str) -> None:
        """Keep a line for the end."""
        self._notes.append(text)

    def detailed(self, text: str) -> None:
        """Keep it where the user wants to know."""
        if self._verbose:
            self._notes.append(text)

    def _render(self) -> RenderableType:
        assert self._plan is not None
        study, longest = self._plan.study, self._plan.study.all_budgets[-1]
        readout, finetune_size = study.readings[0][0], study.largest_finetune_size
        shown = (longest, readout, finetune_size, self._tuned)
        tables: list[RenderableType] = []
        for pretrain, finetune in study.pairs:
            pair = (pretrain.name, finetune.name)
            view = View(readout, finetune_size, self._tuned)
            table = new_accuracy_table(pair, study.samples_per_class, view)
            for arm in study.arms:
                table.add_row(
                    plain(study.shown[arm.label]),
                    *(
                        self._entry((pair, arm.label, size, *shown), study.seeds)
                        for size in study.samples_per_class
                    ),
                )
            tables.append(table)
        return Group(*tables, self._progress)

    def _entry(self, place: _Place, seeds: int) -> str:
        values, failures = self._values[place], self._failures[place]
        mean = PRIMARY.factor * sum(values) / max(1, len(values))
        text = f"{mean:.{PRIMARY.decimals_of_mean}f}" if values else "·"
        if values and len(values) < seeds:
            text += f" [dim]{len(values)}/{seeds}[/dim]"
        return text + (f" [red]{failures} failed[/red]" if failures else "")


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


def _trials(cells: Sequence[Cell]) -> str:
    """The number of trials among some cells, in words."""
    trials = sum(cell.trial is not None for cell in cells)
    return f" ({trials} of them trials)" if trials else ""


def _name(cell: Cell, study: Study) -> str:
    """The place of a cell, and what tells it from the others there."""
    place = place_name(
        cell.pretrain.name,
        cell.finetune.name,
        cell.arm.label,
        cell.samples_per_class,
        cell.seed,
    )
    parts = [place]
    if study.budgets and cell.budget:
        parts.append(cell.budget.label)
    if len(study.readings) > 1:
        size = f" on {cell.finetune_size} a class" if cell.finetune_size else ""
        parts.append(f"{cell.readout}{size}")
    if cell.trial is not None:
        fold = f", fold {cell.trial.fold + 1}" if cell.trial.folds else ""
        parts.append(f"trial {cell.trial.number + 1}{fold}")
    if cell.chosen is not None:
        parts.append("tuned")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _range(numbers: Iterable[int]) -> str:
    """The numbers above 0 as `8`, or `8 to 32`."""
    found = sorted({number for number in numbers if number}) or [0]
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _searched(plan: Plan, results: int) -> Iterator[str]:
    """Lines on what a search adds to a study."""
    search = plan.study.search
    if search is None:
        return
    for label, space in search.spaces.items():
        ranges = ", ".join(f"{one.label} {one.range}" for one in space) or "nothing"
        yield f"tuned in {plan.study.shown[label]}: {ranges}"
    trials = len(plan.cells) - results
    seeds = "every reported seed" if search.within else f"{search.seeds} seeds of their own"
    yield (
        f"{trials:,} trials, {search.trials} of each arm and size in {seeds}, then the cells once "
        "more, tuned"
    )


def print_plan(plan: Plan, console: rich.console.Console | None = None) -> None:
    """Print what a study would compute."""
    console = console or Console()
    study = plan.study
    # One pretraining may serve several budgets, and one cell several data sets or arms; and one
    # seed is as the other: keys, which tell that, cost seconds for a hundred thousand cells.
    results = [cell for cell in plan.cells if cell.trial is None]
    of_one_seed = [cell for cell in results if cell.seed == results[0].seed]
    pretrainings = [unit[0] for unit in units_of(of_one_seed)]
    finetunings = {
        cell.key: cell for cell in of_one_seed if cell.judged_by.steps(cell.settings)
    }.values()  # a readout such as the pretraining head is not trained
    batches = _range(cell.pretrain_steps for cell in pretrainings)
    finetuned = _range(cell.judged_by.steps(cell.settings) for cell in finetunings)
    images = _range(cell.settings.batch_size for cell in of_one_seed)
    finetuning = f" and {study.seeds * len(finetunings)} finetunings of {finetuned} batches"
    lines = [
        "pairs: " + ", ".join(f"{p.name} → {f.name}" for p, f in study.pairs),
        "arms: " + ", ".join(study.shown.values()),
        *(f"{title}: {value}" for title, value in reported(study.to_json())),
        f"backbone: {study.backbone.label}",
        f"{len(results)} cells = {study.seeds * len(pretrainings)} pretrainings of {batches} "
        f"batches{finetuning if finetunings else ''}, {images} images each",
        *_searched(plan, len(results)),
    ]
    if plan.options.keep_backbones:
        count, size = kept_size(plan)
        lines.append(f"{count:,} backbones are kept, in about {_bytes(size)}")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _bytes(count: int) -> str:
    """A number of bytes as `12 kB`, `1.4 GB`."""
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.{1 if size < 10 else 0}f} {_UNITS[unit]}"
