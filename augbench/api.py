"""The public way to run a study: plan it, compute what is missing, read the results.

`plan` turns what a user asked for into a checked study; `execute` computes its missing cells;
`run` does both. None of them imports torch: that happens in the workers, if anything trains.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace

from augbench.datasets.contract import Dataset, DatasetInfo
from augbench.datasets.named import data_root, inspect_dataset, load_dataset
from augbench.environment import cuda_devices, describe_environment
from augbench.errors import StudyError
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
from augbench.options import Options, filled_from_recipe, named, spelling, takes_options
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Pipeline
from augbench.plugins.registry import Registry
from augbench.protocol.arrangement import arrange
from augbench.protocol.cell_result import CellResult
from augbench.protocol.checks import check_study
from augbench.protocol.study import Arm, Budget, Cell, Study
from augbench.results import StudyResult
from augbench.store import Store
from augbench.text import encodable
from augbench.training.notes import Note, summary
from augbench.training.packs import plan_packs

__all__ = ["Observer", "Options", "Plan", "execute", "plan", "run"]


@dataclass(frozen=True)
class Plan:
    """A checked study, ready to be computed."""

    options: Options
    registry: Registry
    study: Study
    cells: tuple[Cell, ...]
    datasets: Mapping[str, Component]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Lines for the user about what may be wrong with the study's data sets."""
        infos = (info for pair in self.study.pairs for info in pair)
        return tuple({line: None for info in infos for line in info.warnings})

    def load(self, content_hash: str) -> Dataset:
        """Load one of the study's data sets."""
        root = data_root(self.options.data_root)
        return load_dataset(self.registry, self.datasets[content_hash], root)


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


@takes_options(Options)
def plan(options: Options) -> Plan:
    """Resolve every name, look at the data, and check the study: `plan("mixup", seeds=3)`.

    Takes the options below one by one, or as one `Options`. Raises a `UsageError` (unknown names,
    refused parameters, missing data, a study that asks for more than there is), in one line each,
    before anything trains.
    """
    registry = Registry.load(options.plugins, strict=options.strict_plugins)
    base = _one(registry, "base", options.base) if options.base else None
    baseline = _baseline(options, registry, base)
    arms = _arms(options, registry, base, baseline)
    # Raises for what cannot be made, cannot be in sequence, or needs what no engine can supply.
    arranged = {arm.label: arrange(arm.pipeline, registry.create) for arm in arms}
    arms = tuple(replace(arm, needs=arranged[arm.label].needs) for arm in arms)
    infos: dict[str, DatasetInfo] = {}
    datasets: dict[str, Component] = {}
    root = data_root(options.data_root)

    def info(spec: str) -> DatasetInfo:
        component = registry.resolve("dataset", spec)
        if component.label not in infos:
            found = inspect_dataset(registry, component, root, download=options.download)
            infos[component.label] = found
            datasets[found.content_hash] = component
        return infos[component.label]

    pairs = tuple(
        (info(pretrain), info(finetune))
        for pretrain in dict.fromkeys(options.pretrain_datasets)
        for finetune in dict.fromkeys(options.finetune_datasets)
    )
    study = Study(
        pairs=pairs,
        arms=arms,
        backbone=registry.resolve("backbone", options.backbone),
        samples_per_class=tuple(sorted(set(options.samples_per_class))),
        seeds=options.seeds,
        settings=options.settings,
        budgets=_budgets(options),
        baseline=arms[0] if baseline else None,
        base=base,
        ruler_sizes=tuple(sorted(set(options.ruler_sizes))),
        references=options.references,
        test_every=options.test_every,
    )
    check_study(study, {label: one.sources for label, one in arranged.items()})
    return Plan(options, registry, study, tuple(study.cells()), datasets)


def _budgets(options: Options) -> tuple[Budget, ...]:
    """The budgets of a study, the shortest first; none if it has but one, in steps."""
    if options.epochs:
        return tuple(Budget(epochs, in_epochs=True) for epochs in sorted(set(options.epochs)))
    steps = sorted(set(options.pretrain_steps))
    return tuple(map(Budget, steps)) if len(steps) > 1 else ()


def _one(registry: Registry, option: str, spec: str) -> Pipeline:
    """The pipeline of an option that takes no grid."""
    found = registry.pipelines(spec)
    if len(found) > 1:
        raise StudyError(
            f"{named(option, spec)}: expected one pipeline, got a grid of {len(found)}"
        )
    return found[0]


def _baseline(options: Options, registry: Registry, base: Pipeline | None) -> Arm | None:
    if options.baseline is None:
        return None
    pipeline = _one(registry, "baseline", options.baseline)
    return Arm(pipeline.label, pipeline.on(base), options.settings)


def _arms(
    options: Options, registry: Registry, base: Pipeline | None, baseline: Arm | None
) -> tuple[Arm, ...]:
    """The arms of a study, the baseline first; raises `StudyError` if two share a name."""
    arms = [baseline] if baseline else []
    for spec in options.augmentations:
        specs = [spec]
        if spec == "all":  # everything that is installed
            specs = [name for name in registry.names("augmentation") if name != "none"]
        for pipeline in (one for spec in specs for one in registry.pipelines(spec)):
            arms.append(Arm(pipeline.label, pipeline.on(base), options.settings))
    for own in options.arms:
        under = _one(registry, "base", own.base) if own.base else base
        pipelines = registry.pipelines(own.augmentations)
        for pipeline in pipelines:
            name = own.name if len(pipelines) == 1 else f"{own.name} {pipeline.label}"
            name = encodable(name)
            settings = replace(options.settings, **dict(own.settings))
            own_budget = "pretrain_steps" in dict(own.settings)
            arms.append(Arm(name, pipeline.on(under), settings, own_budget))
    by_label: dict[str, Arm] = {}
    for arm in arms:
        if by_label.setdefault(arm.label, arm) != arm:
            raise StudyError(
                f"two arms are called {arm.label!r}: name one of them otherwise, as in "
                f'{named("arms")} "name=other aug=…"'
            )
    return tuple(by_label.values())


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
