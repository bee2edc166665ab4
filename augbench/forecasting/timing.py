"""How long a study takes, by training some steps of its own packs: for `--dry-run --time`.

Packs of the study are trained as they would be, but for a few steps of pretraining only, with all
of their readouts. A second round, of more steps on every worker at once, tells what a step costs
once everything is warm and the workers share the machine's memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from augbench.datasets.named import data_root
from augbench.errors import StudyError, UsageError
from augbench.executors.contract import Event, Finished, Job, Started
from augbench.forecasting.duration import Duration, words
from augbench.options import named, spelling
from augbench.protocol.cell_result import CellResult
from augbench.protocol.study import Cell
from augbench.running.dealing import Dealer, devices_of, executor_of
from augbench.running.plan import Plan
from augbench.training.packs import cost, makespan, trained_alike, units_of

__all__ = ["timed"]

_FIRST = 24  # steps of the first round: by then a step is recorded and replayed, where that pays
_MOST = 400  # steps of the second one
_SECONDS = 4.0  # that the steps of the second round should take
_KINDS = 3  # of packs that are timed; the others are taken for as fast as these


@dataclass(frozen=True)
class _Rate:
    """Seconds of packs of one kind: for a step of one pretraining, and of one full finetuning;

    for the readouts of one cell besides these; and for a whole cell, whose `work` is as `cost`
    counts it.
    """

    step: float
    full_step: float
    readout: float
    a_cell: float
    work: float

    def seconds(self, pack: Sequence[Cell]) -> float:
        """The time of a pack of this kind."""
        trained = _steps(pack) * self.step + _full_steps(pack) * self.full_step
        return trained + len(pack) * self.readout


def timed(plan: Plan, missing: Sequence[Cell]) -> Duration | None:
    """Train some steps of packs of the `missing` cells, and extrapolate; stores nothing.

    None where nothing is missing. Raises `UsageError` for a study that runs elsewhere (an
    executor of a plugin's), and `StudyError` where all cells that were tried failed.
    """
    if plan.options.executor is not None:
        raise UsageError(
            f"--time: cannot be used with {named('executor', plan.options.executor)}, whose "
            "machines are not this one"
        )
    if not missing:
        return None
    engine = "packed" if plan.options.engine == "auto" else plan.options.engine
    device = devices_of(plan.options.device)[0]
    executor = executor_of(plan.options, plan.registry)
    dealer = Dealer(
        plan.cells, engine=engine, workers=executor.slots, device_kind=device.partition(":")[0]
    )
    packs = dealer.packs(missing)
    kinds: dict[object, list[list[Cell]]] = {}
    for pack in packs:
        kinds.setdefault(trained_alike(pack[0]), []).append(pack)
    largest = sorted(kinds.values(), key=lambda some: -sum(map(_work, some)))[:_KINDS]
    began = time.perf_counter()
    tried = [some[: executor.slots] for some in largest]  # on every worker, as they will train
    short = [[_shortened(pack, _FIRST) for pack in some] for some in tried]
    first = _Round(plan, [pack for some in short for pack in some], engine, device).run()
    longer = [[_shortened(pack, _second(some[0], first)) for pack in some] for some in tried]
    second = _Round(plan, [pack for some in longer for pack in some], engine, device).run()
    rates = {
        trained_alike(whole[0][0]): _rate(whole[0], few, many, first, second)
        for whole, few, many in zip(tried, short, longer, strict=True)
    }
    took = time.perf_counter() - began
    again = packs if plan.study.search is not None else []  # what the trials choose is trained too
    again = [pack for pack in again if pack[0].trial is None]
    busy = [_seconds(pack, rates) for pack in (*packs, *again)]
    return Duration(
        second.start + second.once(executor.slots) + makespan(busy, executor.slots),
        f"by training {len(first.results) + len(second.results)} cells for some steps, in "
        f"{words(took)}",
    )


def _work(pack: Iterable[Cell]) -> float:
    return sum(map(cost, pack))


def _shortened(pack: Sequence[Cell], steps: int) -> list[Cell]:
    """The cells of a pack, pretrained for so many steps at most; budgets stay apart."""
    lengths = sorted({cell.pretrain_steps for cell in pack if cell.pretrain_steps})
    short = {
        length: min(length, max(1, steps - (len(lengths) - 1 - place)))
        for place, length in enumerate(lengths)
    }
    cells = []
    for cell in pack:
        own = cell.settings
        settings = replace(
            own,
            pretrain_steps=short.get(cell.pretrain_steps, own.pretrain_steps),
            full_steps=min(own.full_steps, steps),
        )
        cells.append(replace(cell, arm=replace(cell.arm, settings=settings, own_budget=True)))
    return cells


class _Round:
    """Some packs, trained on the study's executor, and the results of their cells by key."""

    def __init__(self, plan: Plan, packs: list[list[Cell]], engine: str, device: str) -> None:
        self._packs = packs
        self._executor = executor_of(plan.options, plan.registry)
        self._job = Job(
            engine=engine,
            device=device,
            datasets=tuple(plan.datasets.items()),
            backbones=tuple(
                {(cell.backbone, cell.pretrain.image_shape): None for one in packs for cell in one}
            ),
            data_root=data_root(plan.options.data_root),
            plugins=plan.registry.arguments,
            test_every=plan.options.test_every,
            spelling=tuple(spelling().items()),
        )
        self.results: dict[str, CellResult] = {}
        self.start = self._whole = 0.0
        self._began = time.perf_counter()

    def run(self) -> _Round:
        """Train them all."""
        self._executor.run(self._packs, self._job, self._emit)
        self._whole = time.perf_counter() - self._began
        failed = [one for one in self.results.values() if not one.ok]
        if len(failed) == len(self.results):
            raise StudyError(f"--time: no cell could be trained: {failed[0].error}")
        return self

    def _emit(self, event: Event) -> None:
        if isinstance(event, Started):
            self.start = max(self.start, time.perf_counter() - self._began)
        elif isinstance(event, Finished):
            self.results[event.cell.key] = event.result

    def once(self, slots: int) -> float:
        """Seconds between the start of the workers and the end that no cell's time holds.

        Data are loaded and networks verified once a worker, before the first step.
        """
        trained = (sum(self.results[cell.key].seconds for cell in pack) for pack in self._packs)
        return max(0.0, self._whole - self.start - makespan(trained, slots))

    def pretraining(self, pack: Sequence[Cell]) -> float:
        """The seconds of a pack's pretrainings."""
        longest = [self.results[unit[0].key] for unit in units_of(pack)]
        return sum(one.metrics.get("pretrain_seconds", 0.0) for one in longest if one.ok)

    def readouts(self, pack: Sequence[Cell]) -> float:
        """The seconds of a pack besides its pretrainings."""
        all_of_it = sum(self.results[cell.key].seconds for cell in pack)
        return max(0.0, all_of_it - self.pretraining(pack))


def _second(pack: Sequence[Cell], first: _Round) -> int:
    """The steps of the second round, for some seconds of training."""
    short = _shortened(pack, _FIRST)
    spent = first.pretraining(short)
    a_step = spent / _FIRST if spent else 1e-3
    return max(_FIRST + 8, min(_MOST, _FIRST + int(_SECONDS / max(a_step, 1e-6))))


def _rate(
    whole: Sequence[Cell],
    short: Sequence[Sequence[Cell]],
    longer: Sequence[Sequence[Cell]],
    first: _Round,
    second: _Round,
) -> _Rate:
    """The rate of packs of one kind, such as `whole`: a step costs the slope between rounds."""
    pairs = list(zip(short, longer, strict=True))
    step = fmean(
        _slope(_steps(many), second.pretraining(many), _steps(few), first.pretraining(few))
        for few, many in pairs
    )
    full_step = fmean(
        _slope(_full_steps(many), second.readouts(many), _full_steps(few), first.readouts(few))
        for few, many in pairs
    )
    readout = fmean(
        max(0.0, second.readouts(many) - _full_steps(many) * full_step) / len(many)
        for many in longer
    )
    rate = _Rate(step, full_step, readout, 0.0, 0.0)
    cells = len(whole)
    return replace(rate, a_cell=rate.seconds(whole) / cells, work=_work(whole) / cells)


def _slope(many: int, long: float, few: int, short: float) -> float:
    """The seconds of a step, from two packs of so many steps in so many seconds."""
    if many > few and long > short:
        return (long - short) / (many - few)
    return long / many if many else 0.0  # too short to tell what went before the first step


def _steps(pack: Sequence[Cell]) -> int:
    """The steps of all pretrainings of a pack."""
    return sum(unit[0].pretrain_steps for unit in units_of(pack))


def _full_steps(pack: Sequence[Cell]) -> int:
    """The steps of all full finetunings of a pack."""
    return sum(cell.settings.full_steps for cell in pack if cell.readout == "full")


def _seconds(pack: Sequence[Cell], rates: Mapping[object, _Rate]) -> float:
    """The time of a pack; one of a kind that was not timed goes by the work that it is."""
    rate = rates.get(trained_alike(pack[0]))
    if rate is not None:
        return rate.seconds(pack)
    per_work = [one.a_cell / one.work for one in rates.values() if one.work]
    return _work(pack) * sum(per_work) / max(1, len(per_work))
