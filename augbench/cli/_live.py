"""The display of `augbench run` while it works: a filling table, or plain lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

import rich.console
from rich.console import Group, RenderableType
from rich.live import Live as RichLive
from rich.progress import BarColumn, Progress, TextColumn

from augbench.api import Observer, Plan
from augbench.cli._forecast import expected_lines
from augbench.cli._live_table import LiveTable
from augbench.options import reported
from augbench.progress.pace import Pace
from augbench.protocol.cell_result import CellResult
from augbench.protocol.study import Cell, Study, place_name
from augbench.reports.console import Console
from augbench.running.keeping import kept_size
from augbench.training.packs import units_of

__all__ = ["Live", "print_plan"]

_UNITS = ("bytes", "kB", "MB", "GB", "TB")

_LEAST_SILENCE = 2.0
"""Seconds between two lines of progress where lines cannot be written anew."""
_SILENCE = 0.05
"""The same as a share of the time left."""


class Live(Observer):
    """Shows a study being computed, on the error stream: a filling table in a terminal, lines
    elsewhere.

    `on_dealt` is called when every pack that is left is in training.
    """

    def __init__(
        self,
        console: rich.console.Console | None = None,
        *,
        verbose: bool = False,
        on_dealt: Callable[[], None] | None = None,
    ) -> None:
        self._verbose, self._on_dealt = verbose, on_dealt
        self._console = console or Console(stderr=True)
        self._table: LiveTable | None = None
        self._plan: Plan | None = None
        self._pace = Pace()
        self.ended = 0
        """The number of cells that ended in this run."""
        self._to_compute = 0
        self._notes: list[str] = []
        self._waiting = ""
        self._told = time.monotonic()  # when a line was printed last
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[pace].words}"),
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
            self._print(text)
        if isinstance(error, KeyboardInterrupt):
            self._print(f"{self.ended} new cells are stored; the same command goes on from there")

    def planned(self, plan: Plan, stored: Mapping[str, float]) -> None:
        """Show what is there already, and start the clock."""
        self._plan, self._table = plan, LiveTable(plan)
        missing = self._take(plan.cells, stored)
        # Data sets of one content, and arms of one kind, share cells.
        cells = list({cell.key: cell for cell in plan.cells}.values())
        self._print(
            f"{len(cells)} cells{_trials(cells)}: {len(cells) - len(missing)} in "
            f"the store, {len(missing)} to compute ({plan.options.out})"
        )
        for line in expected_lines(plan) if missing else ():
            self._print(line)
        if missing and self._console.is_terminal:
            self._progress.add_task(self._count, total=1.0, pace=self._pace)
            self._live = RichLive(
                get_renderable=self._render, console=self._console, refresh_per_second=4
            )
            self._live.start()
        elif missing:
            self._print(f"{self._count} {self._pace.words}")

    def chosen(self, cells: Sequence[Cell], stored: Mapping[str, float]) -> None:
        """Go on with the results of what the trials have chosen."""
        assert self._table is not None
        self._table.tuned = True
        missing = self._take(cells, stored)
        self._print(
            f"the trials have chosen: {len({cell.key for cell in cells})} further cells, "
            f"{len(missing)} to compute"
        )

    def _take(self, cells: Sequence[Cell], stored: Mapping[str, float]) -> list[Cell]:
        """Show those of some cells that are stored; returns the others."""
        assert self._table is not None
        self._table.take_stored(cells, stored)
        missing = {cell.key: cell for cell in cells if cell.key not in stored}
        self._to_compute += len(missing)
        self._pace.add(sum(cell.steps for cell in missing.values()))
        return list(missing.values())

    def dealt(self) -> None:
        """Pass it on."""
        if self._on_dealt is not None:
            self._on_dealt()

    def progressed(self, steps: int) -> None:
        """Move the bar, or print a line now and then."""
        self._pace.advance(steps)
        if self._live is not None:
            self._move()
        elif (left := self._pace.seconds_left) is not None:
            silent = time.monotonic() - self._told
            if silent > max(_LEAST_SILENCE, _SILENCE * left):
                self._print(f"{self._count} {self._pace.words}")

    def finished(self, cell: Cell, result: CellResult) -> None:
        """Fill in a cell."""
        assert self._plan is not None
        assert self._table is not None
        self.ended += 1
        self._pace.end(cell.steps)
        name, outcome = _name(cell, self._plan.study), self._table.take(cell, result)
        if self._live is not None:
            self._move()
            if not result.ok:
                self._print(f"{name}: {outcome}")
            return
        self._print(f"{self._count} {name}: {outcome} ({result.seconds:.1f} s; {self._pace.words})")

    def waiting(self, text: str) -> None:
        """Say what is waited for, each thing once."""
        if text != self._waiting:
            self._waiting = text
            self._print(text)

    def noted(self, text: str) -> None:
        """Keep a line for the end."""
        self._notes.append(text)

    def detailed(self, text: str) -> None:
        """Keep it where the user wants to know."""
        if self._verbose:
            self._notes.append(text)

    @property
    def _count(self) -> str:
        return f"[{self.ended}/{self._to_compute}]"

    def _print(self, text: str) -> None:
        console = self._live.console if self._live is not None else self._console
        console.print(text, markup=False, highlight=False, soft_wrap=True)
        self._told = time.monotonic()

    def _move(self) -> None:
        (task,) = self._progress.task_ids
        description = f"cells {self.ended}/{self._to_compute}"
        self._progress.update(task, completed=self._pace.share, description=description)

    def _render(self) -> RenderableType:
        assert self._table is not None
        return Group(*self._table.tables(self._console.width), self._progress)


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
