"""Corrupt test images before anything trains, in a process of its own.

All cells are tested on the same copies, so that a corruption works for all of them or for none:
one that fails is told of before a cell is trained, and workers find the copies in the cache.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from augbench.batching.corrupted_tests import CorruptedTests, copy_path
from augbench.datasets.contract import DatasetInfo
from augbench.datasets.named import data_root, load_dataset
from augbench.errors import StudyError
from augbench.executors.isolated import ChildEndedError, Isolated
from augbench.options import named
from augbench.plugins.components import Component
from augbench.plugins.registry import Registry
from augbench.protocol.cell_result import CellResult
from augbench.protocol.study import Cell, Study
from augbench.protocol.wanted import Wanted
from augbench.running.observer import Observer
from augbench.running.plan import Plan

__all__ = ["Unmeasured", "make_copies", "prepare"]


@dataclass(frozen=True)
class _Asked:
    """Copies to make: (data set, corruption, root seed) each."""

    plugins: tuple[str, ...]
    root: Path | None
    copies: tuple[tuple[Component, Component, int], ...]


def prepare(plan: Plan, cells: Iterable[Cell], observer: Observer) -> None:
    """Make the corrupted copies that cells are measured on and the cache lacks.

    Raises `StudyError`, one line that names it, for a corruption that raises, breaks its contract
    or ends the process.
    """
    sets: dict[tuple[str, int], DatasetInfo] = {
        (cell.judged_on.content_hash, cell.settings.root_seed): cell.judged_on for cell in cells
    }
    copies = tuple(
        (plan.datasets[content], test.component, root_seed)
        for content, root_seed in sets
        for test in plan.study.shift
        if not copy_path(content, test.component, root_seed).exists()
    )
    if not copies:
        return
    observer.waiting(f"corrupting the test images {len(copies)} times")
    asked = _Asked(plan.registry.arguments, data_root(plan.options.data_root), copies)
    problems: list[str] = []
    try:
        with Isolated("augbench.running.shifting:make_copies", asked) as child:
            problems += filter(None, child.answers())
    except ChildEndedError as error:
        where = error.place.who if error.place else "a process that corrupts test images"
        problems.append(f"{where}: the process {error.how}")
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise StudyError(f"{problems[0]}{more}; correct it, or leave it out of {named('shift')}")


def make_copies(asked: _Asked, emit: Callable[[str], None]) -> None:
    """Make the copies, in the child process; each is answered with its problem, or with ""."""
    registry = Registry.load(asked.plugins)
    tests = CorruptedTests(registry.create)
    datasets = {
        one: load_dataset(registry, one, asked.root)
        for one in dict.fromkeys(dataset for dataset, *_ in asked.copies)
    }
    for dataset, corruption, root_seed in asked.copies:
        emit(tests.problem(datasets[dataset], corruption, root_seed))


class Unmeasured:
    """Counts results that lack accuracies under shift which were asked for."""

    def __init__(self, study: Study, wanted: Wanted) -> None:
        self._names = {one.metric: one.component.label for one in study.shift}
        self._wanted = wanted.shift
        self._lacking: Counter[str] = Counter()

    def look_at(self, result: CellResult) -> None:
        """Take note of a result; one that failed lacks everything."""
        if result.ok:
            self._lacking.update(name for name in self._wanted if name not in result.metrics)

    @property
    def lines(self) -> list[str]:
        """A line for each corruption whose numbers are missing."""
        return [
            f"{count} cells have no accuracy under {self._names[name]!r}, which failed where they "
            "were trained: the next run tries them again"
            for name, count in self._lacking.items()
        ]
