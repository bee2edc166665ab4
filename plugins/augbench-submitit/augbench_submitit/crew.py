"""The driver's side of one run: jobs in the queue, what they have finished, and what they lost."""

from __future__ import annotations

import pickle
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from augbench import errors
from augbench.errors import AugbenchError, StudyError
from augbench.executors.contract import Emit, Finished, Job, Pack, Packed, Started, StepsDone
from augbench.protocol.cell_result import CellResult
from augbench.protocol.study import Cell

from augbench_submitit.folders import JobFolder, Task, earlier
from augbench_submitit.scheduler import Scheduler

if TYPE_CHECKING:
    from augbench_submitit.executor import SubmititExecutor

__all__ = ["Crew"]

_LOOK_EVERY = 1.0  # seconds between two looks at the folders


@dataclass(eq=False)
class _Running:
    """A job that was submitted, by this driver or an earlier one, and the cells it still owes."""

    folder: JobFolder
    handle: Any
    unfinished: dict[str, Cell]
    packs: list[list[Cell]]
    steps: int = 0
    seen: int = 0  # time of change of its store, in ns
    device: str = field(default="")


class Crew:
    """Trains packs in jobs."""

    def __init__(
        self, executor: SubmititExecutor, packs: Iterable[Pack], job: Job, emit: Emit
    ) -> None:
        self._executor, self._job, self._emit = executor, job, emit
        self._fresh, self._again = iter(packs), list[list[Cell]]()
        self._running: list[_Running] = []
        self._lost = Counter[str]()
        self._exhausted = False

    def work(self) -> None:
        """Train everything."""
        executor = self._executor
        self._scheduler = Scheduler(executor.cluster, executor.folder, executor.parameters)
        self._earlier = earlier(executor.folder, self._job)
        self._submit()
        while self._running:
            for one in list(self._running):
                self._look(one)
            self._submit()
            if self._running:
                time.sleep(_LOOK_EVERY)

    def cancel(self) -> None:
        """End every job."""
        for one in self._running:
            self._scheduler.cancel(one.handle)

    def _submit(self) -> None:
        """Fill the queue."""
        tasks = list[Task]()
        while len(self._running) + len(tasks) < self._executor.array and (packs := self._packs()):
            pack = tuple(tuple(one) for one in packs)
            tasks.append(Task(self._job, pack, self._executor.workers))
        if not tasks:
            return
        folders = [JobFolder.make(self._executor.folder, task) for task in tasks]
        submitted = self._scheduler.submit(folders)
        for folder, task, (number, handle) in zip(folders, tasks, submitted, strict=True):
            cells = {cell.key: cell for cell in task.cells}
            self._running.append(_Running(folder, handle, cells, [list(p) for p in task.packs]))
            folder.submitted(task, self._executor.cluster, number)

    def _packs(self) -> list[list[Cell]]:
        """Packs for one job."""
        packs: list[list[Cell]] = []
        wanted = self._executor.workers * self._executor.packs
        while len(packs) < wanted and (pack := self._next()) is not None:
            if pack:
                packs.append(pack)
        return packs

    def _next(self) -> list[Cell] | None:
        """The cells of the next pack that no job has, or is at; None if no pack is left."""
        if self._again:
            return self._again.pop()
        if self._exhausted:
            return None
        pack = next(self._fresh, None)
        if pack is None:
            self._exhausted = True
            return None
        left = {cell.key: cell for cell in pack}
        folders = {one.path: one for key in left for one in self._earlier.get(key, ())}
        for folder in folders.values():
            wanted = {key: left[key] for key in folder.cells.get("keys", ()) if key in left}
            for found in list(folder.results(wanted)):
                # What failed then is worth another try now.
                if found.result.ok:
                    self._finished(found)
                    del left[found.cell.key], wanted[found.cell.key]
            if wanted and self._attached(folder, wanted):
                left = {key: cell for key, cell in left.items() if key not in wanted}
        return list(left.values())

    def _attached(self, folder: JobFolder, wanted: dict[str, Cell]) -> bool:
        """Wait for a job of an earlier driver, if it is still there."""
        known = next((one for one in self._running if one.folder == folder), None)
        if known is None:
            number = folder.cells.get("job")
            handle = self._scheduler.known(*number) if number and not folder.ended else None
            if handle is None:
                return False
            known = _Running(folder, handle, {}, [])
            self._running.append(known)
        known.unfinished.update(wanted)
        known.packs.append(list(wanted.values()))
        return True

    def _look(self, one: _Running) -> None:
        """Take what a job has done since the last look."""
        # First whether it has ended: what it wrote before is then there.
        over = bool(one.folder.ended) or self._scheduler.has_ended(one.handle)
        try:
            seen = one.folder.store.stat().st_mtime_ns
        except OSError:
            seen = 0
        if seen != one.seen:
            one.seen = seen
            for found in list(one.folder.results(one.unfinished)):
                del one.unfinished[found.cell.key]
                self._finished(found)
        progress = one.folder.progress
        if (steps := progress.get("steps", 0)) > one.steps:
            self._emit(StepsDone(steps - one.steps))
            one.steps = steps
        if over:
            self._running.remove(one)
            self._over(one)

    def _finished(self, found: Finished) -> None:
        if found.device:
            self._emit(Started(found.device))
        self._emit(found)

    def _over(self, one: _Running) -> None:
        """A job has ended: what it leaves unfinished is submitted again."""
        ended = one.folder.ended
        if ended.get("error"):
            kind = getattr(errors, str(ended.get("kind")), StudyError)
            kind = kind if issubclass(kind, AugbenchError) else StudyError
            raise kind(f"a job could not train: {ended['error']}")
        for note in _notes(one.folder):
            self._emit(Packed(note))
        if not one.unfinished:
            return
        why = self._scheduler.why(one.handle)
        for pack in one.packs:
            left = [cell for cell in pack if cell.key in one.unfinished]
            self._lost.update(cell.key for cell in left)
            again = [cell for cell in left if self._lost[cell.key] < self._executor.tries]
            if again:
                self._again.append(again)
            for cell in left:
                if cell not in again:
                    self._emit(Finished(cell, self._given_up(cell, why)))

    def _given_up(self, cell: Cell, why: str) -> CellResult:
        # The scheduler ended its jobs, not the cell: the next run tries again.
        error = (
            f"JobLost: its job ended {self._executor.tries} times before it was finished (the last "
            f"time {why}); more of timeout_min or mem_gb may help"
        )
        return CellResult(key=cell.key, error=error)


def _notes(folder: JobFolder) -> list[Any]:
    try:
        return list(pickle.loads((folder.path / "notes.pickle").read_bytes()))
    except (OSError, ValueError, EOFError, pickle.UnpicklingError):
        return []
