"""What a job does: it trains its packs as one machine does, and publishes a store of its own."""

from __future__ import annotations

import json
import pickle
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from augbench.environment import describe_environment
from augbench.errors import AugbenchError
from augbench.executors.contract import Event, Finished, Packed, Started, StepsDone
from augbench.executors.processes import WorkerProcesses
from augbench.plugins.components import Component
from augbench.protocol.study import Arm, Cell, Study
from augbench.store import Store
from augbench.training.notes import Note

from augbench_submitit.folders import JobFolder, Task, write_beside

__all__ = ["train"]

_TELL_EVERY = 2.0  # seconds between two reports of progress
_PUBLISH_EVERY = 10.0  # seconds between two copies of the store


def train(path: str) -> None:
    """Be the job whose folder this is. Errors are told in the folder."""
    folder = JobFolder(Path(path))
    task = folder.task()
    error: AugbenchError | None = None
    with tempfile.TemporaryDirectory() as local:
        work = _Work(folder, task, Path(local))
        devices: tuple[str, ...] = ()
        if task.job.device == "cuda":
            devices = tuple(f"cuda:{number}" for number in range(task.workers))
        try:
            WorkerProcesses(task.workers, devices).run(task.packs, task.job, work.take)
        except AugbenchError as caught:
            error = caught
        finally:
            # Also when the scheduler ends it: what is finished is kept.
            work.close()
    ended = {"error": str(error) if error else None, "kind": type(error).__name__}
    write_beside(folder.path / "ended.json", json.dumps(ended).encode())


class _Work:
    """A job's results on their way into its store, and that on its way to the driver."""

    def __init__(self, folder: JobFolder, task: Task, local: Path) -> None:
        self._folder, self._local = folder, local
        self._store = Store.open(local / "store")
        self._store.plan(_study(task.cells), task.cells, "")
        self._environment = describe_environment()
        self._steps, self._device, self._unpublished = 0, "", True
        self._notes: list[Note] = []
        self._told = self._published = time.monotonic()

    def take(self, event: Event) -> None:
        """Take an event of training."""
        if isinstance(event, StepsDone):
            self._steps += event.steps
        elif isinstance(event, Started):
            self._device = event.device
        elif isinstance(event, Packed):
            self._notes.append(event.note)
        elif isinstance(event, Finished):
            self._store.record(
                event.cell, event.result, self._environment, self._device, pack=event.together
            )
            self._unpublished = True
        now = time.monotonic()
        if self._unpublished and now - self._published > _PUBLISH_EVERY:
            # A full disk may be emptied before the next time.
            with suppress(OSError):
                self._publish()
        if now - self._told > _TELL_EVERY:
            with suppress(OSError):
                self._tell()

    def close(self) -> None:
        """Publish everything."""
        try:
            if self._unpublished:
                self._publish()
            write_beside(self._folder.path / "notes.pickle", pickle.dumps(self._notes))
            self._tell()
        finally:
            self._store.close()

    def _publish(self) -> None:
        self._published = time.monotonic()
        copy = self._local / "copy.sqlite"
        copy.unlink(missing_ok=True)
        with self._store.connection() as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
        self._folder.store.parent.mkdir(exist_ok=True)
        write_beside(self._folder.store, copy.read_bytes())
        self._unpublished = False

    def _tell(self) -> None:
        self._told = time.monotonic()
        content = {"steps": self._steps, "device": self._device}
        write_beside(self._folder.path / "progress.json", json.dumps(content).encode())


def _study(cells: list[Cell]) -> Study:
    """A study of these cells, so that a job's store can be read and merged as any other."""
    arms: dict[str, Arm] = {cell.arm.label: cell.arm for cell in cells}
    backbone: Component = cells[0].backbone
    sizes = {cell.samples_per_class for cell in cells} - {None}
    return Study(
        pairs=tuple(dict.fromkeys((cell.pretrain, cell.finetune) for cell in cells)),
        arms=tuple(arms.values()),
        backbone=backbone,
        samples_per_class=tuple(sorted(size for size in sizes if size is not None)),
        seeds=1 + max(cell.seed for cell in cells),
        settings=cells[0].settings,
    )
