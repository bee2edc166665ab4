"""Compute the cells that a store lacks, and leave everything in it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from augbench.datasets.named import data_root
from augbench.environment import describe_environment
from augbench.executors.contract import (
    Answer,
    Errand,
    Event,
    Executor,
    Finished,
    Job,
    Packed,
    Printed,
    Started,
    StepsDone,
)
from augbench.options import spelling
from augbench.protocol.cell_result import CellResult
from augbench.protocol.metrics import PRIMARY
from augbench.protocol.study import Cell
from augbench.protocol.wanted import Wanted
from augbench.running.dealing import Dealer, devices_of, executor_of, unique_cells
from augbench.running.keeping import kept_backbones
from augbench.running.ledger import Ledger
from augbench.running.observer import Observer
from augbench.running.pictures import Gallery
from augbench.running.plan import Plan
from augbench.running.printed import PrintLog
from augbench.running.sharing import Share
from augbench.running.shifting import Unmeasured, prepare
from augbench.store import Store, StoredStudy
from augbench.training.notes import Note, summary

__all__ = ["compute"]

_LOOK_EVERY = 1.0  # seconds between two looks at what other runs have finished
_WRITE_PATIENCE = 2.0  # seconds that training waits for the store
_LAST_PATIENCE = 5.0  # seconds for what is unwritten when a run ends early


def compute(
    plan: Plan, observer: Observer, command: str = "", gallery: Gallery | None = None
) -> StoredStudy:
    """Compute what the store lacks, each cell stored as it ends; returns the study as stored.

    Cells that another run on the same store is training are waited for. Where a study is tuned,
    its trials follow its results, and then come the results of what they have chosen. A `gallery`
    has its pictures made by a worker that has nothing left to train.
    """
    options, search = plan.options, plan.study.search
    results = [cell for cell in plan.cells if cell.trial is None]
    trials = [cell for cell in plan.cells if cell.trial is not None]
    with Store.open(options.out) as store:
        number = store.plan(plan.study, plan.cells, command)
        run = _Run(plan, observer, store, command, gallery)
        keys = [cell.key for cell in trials]
        stored = store.finished([cell.key for cell in results], plan.wanted)
        stored |= store.finished(keys)
        observer.planned(plan, stored)
        run.fill(results, stored, plan.wanted, last=search is None)
        if search is not None:
            run.fill(trials, stored, Wanted(), last=False)
            tuned = search.tuned_cells(plan.study, store.finished(keys))
            store.plan_tuned(number, tuned)
            stored = store.finished([cell.key for cell in tuned], plan.wanted)
            observer.chosen(tuned, stored)
            run.fill(tuned, stored, plan.wanted, last=True)
        return store.study(number)


@dataclass(frozen=True)
class _Run:
    """One run of a study, and all that its computations share."""

    plan: Plan
    observer: Observer
    store: Store
    command: str
    gallery: Gallery | None

    def fill(
        self, some: Sequence[Cell], stored: Mapping[str, float], wanted: Wanted, *, last: bool
    ) -> None:
        """Compute those of some cells that are not `stored` with what is wanted of them.

        The observer was told what is stored: a cell that another run has finished since is told of
        as such, once this run comes to it. After the `last` cells nothing else is computed.
        """
        cells = unique_cells(some)
        given_up = self.store.given_up([cell.key for cell in cells])
        missing = [cell for cell in cells if cell.key not in stored and cell.key not in given_up]
        if given_up:
            self.observer.noted(
                f"{len(given_up)} cells ended their process or took too long before, and are not "
                "tried again: `augbench status` says why, `augbench retry` has them tried"
            )
        if missing:
            part = replace(self, plan=replace(self.plan, cells=tuple(cells)))
            _Computation(part, missing, wanted, last=last).run()


class _Computation:
    """One run's computation of missing cells."""

    def __init__(self, of: _Run, missing: Sequence[Cell], wanted: Wanted, *, last: bool) -> None:
        self._plan, self._observer, self._store = of.plan, of.observer, of.store
        self._command, self._gallery = of.command, of.gallery
        self._wanted, self._last = wanted, last
        self._left = {cell.key: cell for cell in missing}
        self._handed: set[str] = set()
        self._device = "cpu"
        self._notes: list[Note] = []
        self._unmeasured = Unmeasured(of.plan.study, wanted)
        self._printed = PrintLog(of.plan.options.out, of.observer)

    def run(self) -> None:
        """Train what no other run trains, and wait for the rest."""
        plan, options = self._plan, self._plan.options
        if self._wanted.shift:
            prepare(plan, self._left.values(), self._observer)
        engine = "packed" if options.engine == "auto" else options.engine
        devices = devices_of(options.device)
        executor = executor_of(options, plan.registry)
        dealer = Dealer(
            unique_cells(plan.cells),
            engine=engine,
            workers=executor.slots,
            device_kind=devices[0].partition(":")[0],
        )
        job = self._job(engine, devices[0], self._errand(executor))
        how = ""
        with (
            Store.open(options.out, patience=_WRITE_PATIENCE) as writing,
            Share(writing, options, self._wanted) as share,
        ):
            self._ledger = Ledger(writing, describe_environment(), self._observer)
            try:
                while self._left:
                    self._drop_given_up()
                    packs = dealer.packs(list(self._left.values()))
                    mine = share.claimed(packs)
                    if (first := next(mine, None)) is not None:
                        handed_out = self._handed_out(first, mine, packs[-1][-1].key)
                        executor.run(handed_out, job, self._emit)
                        self._fail_forgotten()
                        how = f"{engine} engine on {', '.join(devices)}, "
                        how += executor.where(len(packs))
                    elif not self._look_at_others():
                        time.sleep(_LOOK_EVERY)
            except BaseException:
                self._printed.tell()
                self._ledger.close(plan.study, plan.cells, self._command, patience=_LAST_PATIENCE)
                raise
            self._ledger.close(plan.study, plan.cells, self._command)
        self._printed.tell()
        for line in self._unmeasured.lines:
            self._observer.noted(line)
        if how:
            packed = summary(self._notes)
            slowly = any(note.networks and note.gain is None for note in self._notes)
            tell = self._observer.noted if slowly else self._observer.detailed
            tell(f"{how}: {packed}" if packed else how)

    def _errand(self, executor: Executor) -> Errand | None:
        """The pictures of the gallery, for a worker; where none takes errands, they are begun."""
        if self._gallery is None:
            return None
        if getattr(executor, "runs_errands", False):
            return self._gallery.errand
        self._gallery.start()
        return None

    def _job(self, engine: str, device: str, errand: Errand | None) -> Job:
        options, cells = self._plan.options, self._left.values()
        return Job(
            engine=engine,
            device=device,
            datasets=tuple(self._plan.datasets.items()),
            backbones=tuple({(cell.backbone, cell.pretrain.image_shape): None for cell in cells}),
            data_root=data_root(options.data_root),
            plugins=self._plan.registry.arguments,
            test_every=self._wanted.test_every,
            cell_timeout=options.cell_timeout,
            spelling=tuple(spelling().items()),
            kept_backbones=kept_backbones(options),
            shift=tuple(one.component for one in self._plan.study.shift)
            if self._wanted.shift
            else (),
            errand=errand,
        )

    def _emit(self, event: Event) -> None:
        if isinstance(event, Finished):
            self._left.pop(event.cell.key, None)
            self._unmeasured.look_at(event.result)
            device = event.device or self._device
            self._ledger.record(event.cell, event.result, device, event.together, event.environment)
            self._observer.finished(event.cell, event.result)
        elif isinstance(event, StepsDone):
            self._observer.progressed(event.steps)
        elif isinstance(event, Started):
            self._device = event.device
            self._observer.started(event.device)
        elif isinstance(event, Packed):
            self._notes.append(event.note)
        elif isinstance(event, Printed):
            self._printed.take(event)
        elif isinstance(event, Answer) and self._gallery is not None:
            self._gallery.take(event.value)

    def _handed_out(
        self, first: list[Cell], rest: Iterator[list[Cell]], last_key: str
    ) -> Iterator[list[Cell]]:
        for pack in chain((first,), rest):
            keys = {cell.key for cell in pack}
            self._handed |= keys
            if self._last and last_key in keys:
                self._observer.dealt()
            yield pack
        if self._last:  # the last one may be another run's
            self._observer.dealt()

    def _fail_forgotten(self) -> None:
        """Cells that an executor took and said nothing of fail: they would be tried for ever."""
        for key in self._handed & self._left.keys():
            cell = self._left[key]
            error = "ExecutorError: the executor returned without a result for this cell"
            self._emit(Finished(cell, CellResult(key, error=error)))

    def _drop_given_up(self) -> None:
        """Leave out what another run has found to end its process, or to take too long."""
        for key, error in self._store.given_up(self._left).items():
            result = CellResult(key, error=error, lost="crashed")
            self._observer.finished(self._left.pop(key), result)

    def _look_at_others(self) -> bool:
        """Take note of what other runs have finished; False if that is nothing."""
        found = self._store.finished(self._left, self._wanted)
        for key, accuracy in found.items():
            result = CellResult(key, {PRIMARY.name: accuracy}, engine="another run")
            self._observer.finished(self._left.pop(key), result)
        if self._left:
            self._observer.waiting("waiting for cells that another run on this store is training")
        return bool(found)
