"""Worker processes of one thread each, fed with packs as they become free.

A worker that dies or hangs costs the cells that are to blame for it, and no other: see `recovery`.
"""

from __future__ import annotations

import queue
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from augbench.errors import AugbenchError, StudyError
from augbench.executors.child import Child, Ended
from augbench.executors.contract import Emit, Errand, Finished, Job, Pack, Started
from augbench.executors.limits import Limits, Watch
from augbench.executors.recovery import Loss, Recovery
from augbench.executors.threads import cores, worker_environment
from augbench.executors.worker import Ready
from augbench.protocol.study import Cell

__all__ = ["WorkerProcesses", "processes"]

_LOOK_EVERY = 0.5  # seconds between two looks at the clock
_STARTS = 3  # of a worker that ends before it is ready


class _Worker:
    """A worker process with the pack that it trains."""

    def __init__(self, job: Job, device: str, inbox: queue.SimpleQueue[Any]) -> None:
        self.device = device
        self.ready = False
        self.pack: Sequence[Cell] = ()
        self.unfinished: dict[str, Cell] = {}
        self.watch = Watch()
        self.child = Child("augbench.executors.worker:serve_packs", inbox, worker_environment())
        self.child.send(replace(job, device=device, errand=None))

    def give(self, pack: Sequence[Cell]) -> None:
        """Send the next pack."""
        self.pack, self.unfinished = pack, {cell.key: cell for cell in pack}
        if self.ready:
            self.begins()
        self.child.send(pack)

    def send_away(self, errand: Errand) -> None:
        """Send an errand, in the place of a pack."""
        self.watch.pack(1, max(cell.steps for cell in self.pack))
        self.pack = ()
        self.child.send(errand)

    @property
    def on_errand(self) -> bool:
        """True from when it was sent away: no cell hangs on it."""
        return not self.pack

    def begins(self) -> None:
        """It has begun with its pack."""
        self.watch.pack(len(self.pack), max(cell.steps for cell in self.pack))


@dataclass(frozen=True)
class WorkerProcesses:
    """An `Executor` of up to `slots` worker processes of one thread each.

    With `devices`, the workers are dealt over them, and not all on the job's.
    """

    slots: int
    devices: tuple[str, ...] = ()

    runs_errands = True

    def where(self, packs: int) -> str:
        """The place in words."""
        used = min(self.slots, packs)
        return f"{used} worker{'s' if used > 1 else ''} of one thread"

    def run(self, packs: Iterable[Pack], job: Job, emit: Emit) -> None:
        """Train the packs on worker processes, emitting events as they come.

        Raises the `AugbenchError` that keeps a worker from starting. Any exception, a
        `KeyboardInterrupt` included, stops the workers.
        """
        crew = _Crew(self, packs, job, emit)
        try:
            crew.work()
        finally:
            crew.dismiss()


def processes(workers: int = 0) -> WorkerProcesses:
    """Worker processes on this machine; 0 for one on each core."""
    return WorkerProcesses(workers or cores())


class _Crew:
    """The workers of one `run`, the packs they train, and those that are to be trained again."""

    def __init__(self, executor: WorkerProcesses, packs: Iterable[Pack], job: Job, emit: Emit):
        self._slots = executor.slots
        self._devices = executor.devices or (job.device,)
        self._fresh, self._again = iter(packs), list[list[Cell]]()
        self._job, self._emit = job, emit
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._workers: dict[Child, _Worker] = {}
        self._limits, self._recovery = Limits(job.cell_timeout), Recovery()
        self._lost_starts = 0
        self._errand = job.errand

    def work(self) -> None:
        """Train everything."""
        while len(self._workers) < self._slots and self._hire():
            pass
        while self._workers:
            try:
                child, value = self._inbox.get(timeout=_LOOK_EVERY)
            except queue.Empty:
                self._stop_late()
                continue
            worker = self._workers.get(child)
            if worker is not None:
                worker.watch.alive()
                self._take(worker, value)

    def dismiss(self) -> None:
        """End every worker, whatever it does."""
        for child in self._workers:
            child.close()

    def _take(self, worker: _Worker, value: object) -> None:
        if isinstance(value, AugbenchError):
            raise value
        if isinstance(value, Ended):
            self._mourn(worker, value)
        elif isinstance(value, Ready):
            if (pack := self._next()) is not None:
                worker.give(pack)
            elif self._errand is not None:
                worker.send_away(self._errand)
                self._errand = None
            else:
                self._let_go(worker)
        else:
            if isinstance(value, Started):
                worker.ready, self._lost_starts = True, 0
                worker.begins()
            if isinstance(value, Finished):
                value = self._finished(worker, value)
            self._emit(value)  # type: ignore[arg-type]  # only events remain

    def _finished(self, worker: _Worker, event: Finished) -> Finished:
        # The very cell that was sent: what came back has lost what it had computed of its keys.
        cell = worker.unfinished.pop(event.cell.key)
        if event.result.ok:
            self._limits.learn(event.result.seconds, cell.steps)
        return replace(event, cell=cell, together=tuple(one.key for one in worker.pack))

    def _next(self) -> list[Cell] | None:
        return self._recovery.next_pack(self._again, self._fresh, self._emit)

    def _hire(self) -> bool:
        """Start a worker on the next pack, if there is one."""
        pack = self._next()
        if pack is None:
            return False
        taken = [worker.device for worker in self._workers.values()]
        device = min(self._devices, key=taken.count)
        worker = _Worker(self._job, device, self._inbox)
        self._workers[worker.child] = worker
        worker.give(pack)
        return True

    def _let_go(self, worker: _Worker) -> None:
        del self._workers[worker.child]
        worker.child.close()

    def _mourn(self, worker: _Worker, end: Ended) -> None:
        """A worker is gone: find who is to blame, and hire another for the rest."""
        left, place = list(worker.unfinished.values()), end.place
        self._let_go(worker)
        if worker.on_errand:
            return
        if not worker.ready:
            self._again.append(left)
            self._lost_starts += 1
            if place is not None or self._lost_starts >= _STARTS:
                where = f"in {place.who}" if place else "before it was ready"
                raise StudyError(
                    f"a worker process {end.how} {where}; nothing can be trained with it"
                )
        else:
            late = end.how.startswith("was stopped after")
            loss = Loss(end.how, "timed out" if late else "crashed", place)
            failures, again = self._recovery.after(left, loss)
            for failure in failures:
                self._emit(failure)
            self._again += reversed(again)
        while len(self._workers) < self._slots and self._hire():
            pass

    def _stop_late(self) -> None:
        for child, worker in self._workers.items():
            if why := worker.watch.late(self._limits, child.place, child.life):
                child.kill(why)
