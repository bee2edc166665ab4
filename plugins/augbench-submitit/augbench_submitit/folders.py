"""A job's folder, which driver and job share: what is to be trained, and what came of it.

```
<folder>/<name>/
  task.pickle      the job and its packs
  cells.json       the keys of its cells, and the scheduler's number once it is submitted
  progress.json    steps done so far, and the device
  store/           a store of its own, replaced as a whole each time
  ended.json       that it has ended, and the error that kept it from training, if any
```

A driver that is started again finds in it what jobs have finished meanwhile. SQLite is not to be
trusted with a file that two machines open over a network: a job writes its store on its own disk,
and publishes copies.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augbench.errors import StoreError, UsageError
from augbench.executors.contract import Finished, Job
from augbench.protocol.shift import shift_metric
from augbench.protocol.study import Cell
from augbench.store import FILE_NAME, Store

__all__ = ["JobFolder", "Task", "earlier", "measurements", "write_beside"]


@dataclass(frozen=True)
class Task:
    """What a job does: packs of cells, with so many worker processes."""

    job: Job
    packs: tuple[tuple[Cell, ...], ...]
    workers: int

    @property
    def cells(self) -> list[Cell]:
        """All cells of its packs."""
        return [cell for pack in self.packs for cell in pack]


@dataclass(frozen=True)
class JobFolder:
    """The folder of one job."""

    path: Path

    @classmethod
    def make(cls, parent: Path, task: Task) -> JobFolder:
        """A new folder for a task, named by its cells; raises `UsageError` if it has no place."""
        keys = [cell.key for cell in task.cells]
        name = hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()[:16]
        try:
            parent.mkdir(parents=True, exist_ok=True)
            path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
            made = cls(path)
            write_beside(path / "task.pickle", pickle.dumps(task))
            made._tell(keys, measurements(task.job), None)
        except OSError as error:
            raise UsageError(f"no job can be prepared in {str(parent)!r}: {error}") from error
        return made

    def task(self) -> Task:
        """What is to be done."""
        task = pickle.loads((self.path / "task.pickle").read_bytes())
        assert isinstance(task, Task)
        return task

    def submitted(self, task: Task, cluster: str, number: str) -> None:
        """Keep the scheduler's number of the job."""
        self._tell([cell.key for cell in task.cells], measurements(task.job), [cluster, number])

    def _tell(self, keys: list[str], measured: list[Any], number: list[str] | None) -> None:
        content = {"keys": keys, "measured": measured, "job": number}
        write_beside(self.path / "cells.json", json.dumps(content).encode())

    @property
    def cells(self) -> dict[str, Any]:
        """The keys of its cells, their `measurements`, and its number; {} if unreadable."""
        return self._json("cells.json")

    @property
    def progress(self) -> dict[str, Any]:
        """`steps` and `device`, as far as the job has told them."""
        return self._json("progress.json")

    @property
    def ended(self) -> dict[str, Any]:
        """`error` and its `kind` once the job has ended by itself; else {}."""
        return self._json("ended.json")

    def _json(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.path / name).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def store(self) -> Path:
        """The published store."""
        return self.path / "store" / FILE_NAME

    def results(self, cells: dict[str, Cell]) -> Iterator[Finished]:
        """What the published store holds of these cells, by their keys."""
        if not self.store.is_file():
            return
        with tempfile.TemporaryDirectory() as folder:
            try:
                shutil.copyfile(self.store, Path(folder) / FILE_NAME)
                with Store.read(Path(folder)) as store:
                    planned, packs = store.study().cells, _packs(store)
            except (OSError, StoreError):
                return  # as if it were not there: the cells are trained again
        for one in planned:
            if one.key in cells and one.result is not None:
                yield Finished(
                    cells[one.key],
                    one.result,
                    packs.get(one.key, ()),
                    one.device,
                    dict(one.environment),
                )


def _packs(store: Store) -> dict[str, tuple[str, ...]]:
    with store.connection() as connection:
        rows = connection.execute(
            "SELECT cells.key, packs.keys FROM cells JOIN packs ON packs.id = cells.pack"
        ).fetchall()
    return {key: tuple(json.loads(keys)) for key, keys in rows}


def measurements(job: Job) -> list[Any]:
    """What a job measures besides the results that every cell has: another must not stand in."""
    return [job.test_every, [shift_metric(one) for one in job.shift]]


def earlier(parent: Path, job: Job) -> dict[str, list[JobFolder]]:
    """The folders of jobs by the keys of their cells, of this run and of earlier ones.

    Only of those with the same `measurements`.
    """
    found: dict[str, list[JobFolder]] = {}
    for path in sorted(parent.glob("*/cells.json")) if parent.is_dir() else ():
        folder = JobFolder(path.parent)
        content = folder.cells
        if content.get("measured") == measurements(job):
            for key in content.get("keys", ()):
                found.setdefault(key, []).append(folder)
    return found


def write_beside(path: Path, content: bytes) -> None:
    """Write a file so that a reader, on another machine perhaps, sees all of it or nothing."""
    descriptor, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
