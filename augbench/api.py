"""The public way to run a study: plan it, compute what is missing, read the results.

`plan` turns what a user asked for into a checked study; `execute` computes its missing cells;
`run` does both. None of them imports torch: that happens in the workers, if anything trains.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

from augbench.datasets.named import data_root
from augbench.environment import cuda_devices, describe_environment
from augbench.executors.contract import (
    Emit,
    Event,
    Executor,
    Finished,
    Job,
    Packed,
    Started,
    StepsDone,
)
from augbench.executors.processes import WorkerProcesses
from augbench.options import Options, filled_from_recipe, spelling, takes_options
from augbench.planning import Plan, check_machine, plan
from augbench.protocol.cell_result import CellResult
from augbench.protocol.study import Cell
from augbench.results import StudyResult
from augbench.store import Store
from augbench.training.notes import Note, summary
from augbench.training.packs import plan_packs

__all__ = ["Observer", "Options", "Plan", "check_machine", "execute", "plan", "run"]


class Observer:
    """Watches a study being computed; every method does nothing unless overridden."""

    def planned(self, plan: Plan, stored: Mapping[str, float]) -> None:
        """Called with the plan, and the accuracies of stored cells by their keys."""

    def started(self, device: str) -> None:
        """Called when a worker is ready, on this device."""

    def progressed(self, steps: int) -> None:
        """Called with the number of steps done since the last call."""

    def finished(self, cell: Cell, result: CellResult) -> None:
        """Called when a cell has ended and is stored."""

    def noted(self, text: str) -> None:
        """Called with a line for the user, such as how the engine trained the cells."""


def execute(plan: Plan, observer: Observer | None = None, *, command: str = "") -> StudyResult:
    """Compute the cells that the store lacks, storing each as it ends; return all results.

    A cell that fails is stored with its error, and the others go on: look at `.failed`. The store
    keeps the `command` that asked for the study.
    """
    observer = observer or Observer()
    options = plan.options
    environment = describe_environment()
    with Store.open(options.out) as store:
        number = store.plan(plan.study, plan.cells, command)
        stored = store.finished((cell.key for cell in plan.cells), test_every=options.test_every)
        observer.planned(plan, stored)
        missing = _unique_cells(cell for cell in plan.cells if cell.key not in stored)
        device = "cpu"
        packed: list[Note] = []

        def emit(event: Event) -> None:
            nonlocal device
            if isinstance(event, Finished):
                store.record(event.cell, event.result, environment, device)
                observer.finished(event.cell, event.result)
            elif isinstance(event, StepsDone):
                observer.progressed(event.steps)
            elif isinstance(event, Started):
                device = event.device
                observer.started(event.device)
            elif isinstance(event, Packed):
                packed.append(event.note)

        if missing:
            how = _train(plan, missing, emit)
            observer.noted(f"{how}: {summary(packed)}" if packed else how)
        return StudyResult(store.study(number))


def _unique_cells(cells: Iterable[Cell]) -> list[Cell]:
    """The cells without repetition: two data sets of the same content give the same ones."""
    return list({cell.key: cell for cell in cells}.values())


def _train(plan: Plan, cells: Sequence[Cell], emit: Emit) -> str:
    """Train the cells; returns the engine and the place in words."""
    options = plan.options
    device = ("cuda" if cuda_devices() else "cpu") if options.device == "auto" else options.device
    on_cpu = device == "cpu"
    workers = options.workers
    if workers is None:
        # A GPU is fed best by one process; the CPU by one thread on each core.
        workers = _cores() if on_cpu else 0
    executor: Executor = WorkerProcesses(workers) if workers else _this_process(plan)
    engine = "packed" if options.engine == "auto" else options.engine
    packs = _packs(plan.cells, cells, engine, executor.slots, device.partition(":")[0])
    job = Job(
        engine=engine,
        device=device,
        datasets=tuple(plan.datasets.items()),
        backbones=tuple({(cell.backbone, cell.pretrain.image_shape): None for cell in cells}),
        data_root=data_root(options.data_root),
        plugins=plan.registry.arguments,
        test_every=options.test_every,
        spelling=tuple(spelling().items()),
    )
    executor.run(packs, job, emit)
    return f"{engine} engine on {device}, {executor.where(len(packs))}"


def _this_process(plan: Plan) -> Executor:
    from augbench.executors.serial import ThisProcess

    return ThisProcess(plan.registry)


def _packs(
    cells: Sequence[Cell], missing: Sequence[Cell], engine: str, workers: int, device_kind: str
) -> list[list[Cell]]:
    """Deal the missing cells into packs.

    The whole study is dealt, and packs that miss all of their cells are kept as they are: a study
    that goes on after an interruption trains the very packs that it would have trained without
    one, so that not even the order of its sums differs. What is left is dealt anew.
    """
    wanted = {cell.key for cell in missing}
    limit = 1 if engine == "reference" else None

    def deal(some: Sequence[Cell]) -> list[list[Cell]]:
        return plan_packs(some, workers, device_kind=device_kind, pack_limit=limit)

    packs, rest = [], []
    for pack in deal(_unique_cells(cells)):
        lacking = [cell for cell in pack if cell.key in wanted]
        if len(lacking) == len(pack):
            packs.append(pack)
        else:
            rest += lacking
    return packs + deal(rest)


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


@filled_from_recipe
@dataclass(frozen=True)
class _RunOptions(Options):
    """The arguments of `run`: the options of a study, and who watches it."""

    _: KW_ONLY
    observer: Observer | None = None


@takes_options(_RunOptions)
def run(options: _RunOptions) -> StudyResult:
    """Run a study: `augbench.run(["collage", "mixup"], seeds=3, out="results")`.

    Takes the options below one by one, or as one `Options`; single names and sizes may stand for
    themselves, and the names of the command line's flags serve as well (`lr` for `learning_rate`).
    Raises `UsageError` for what cannot be used. Failed cells are in the result's `.failed`.
    """
    return execute(plan(options), options.observer)
