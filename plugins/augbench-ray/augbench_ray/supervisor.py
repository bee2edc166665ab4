"""What a station does on its node: it runs one of AugBench's own worker processes.

So crashes, hangs and plugins that misbehave end as they do on one machine, with their reason; what
Ray has to see to are nodes that die.
"""

from __future__ import annotations

import atexit
import os
import queue
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from augbench.datasets.named import data_root
from augbench.environment import describe_environment
from augbench.errors import AugbenchError, StudyError
from augbench.executors.contract import Event, Job, Pack
from augbench.executors.processes import WorkerProcesses

from augbench_ray.datasets import Place, lacking, sent, written
from augbench_ray.plugin_files import PluginFiles, unpacked

__all__ = ["Prepared", "Supervisor"]

_PREFIX = "augbench-ray-"


@dataclass(frozen=True)
class Prepared:
    """The answer of a node: the data sets that it lacks, and a description of its environment."""

    lacking: frozenset[str]
    environment: dict[str, Any]


class _PackDone:
    """The worker process asks for its next pack."""


class Supervisor:
    """Feeds one worker process with packs, from a thread of its own.

    That thread starts the worker process, which ends with it: the kernel takes the end of the
    thread for the end of the parent.
    """

    def __init__(self, job: Job, plugins: PluginFiles) -> None:
        _remove_left_over()
        self._folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        tempfile.tempdir = str(self._folder)  # whatever ends this process, the next one tidies up
        root = job.data_root if job.data_root and job.data_root.is_dir() else data_root(None)
        self._job = replace(job, plugins=unpacked(plugins, self._folder), data_root=root)
        self._packs: queue.SimpleQueue[Pack | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Event | _PackDone | AugbenchError] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def prepare(self) -> Prepared:
        """Look for the data sets."""
        place = Place(self._job.plugins, self._job.data_root)
        missing = lacking(place, dict(self._job.datasets))
        return Prepared(frozenset(missing), dict(describe_environment()))

    def take_dataset(self, content_hash: str, dataset: Any) -> None:
        """Use these images for the data set of that hash."""
        path = self._folder / f"{content_hash}.npz"
        written(dataset, path)
        datasets = {
            known: sent(path, component) if known == content_hash else component
            for known, component in self._job.datasets
        }
        plugins = dict.fromkeys((*self._job.plugins, "augbench_ray.arrived"))
        self._job = replace(self._job, datasets=tuple(datasets.items()), plugins=tuple(plugins))

    def train(self, pack: Pack) -> Iterator[list[Event | AugbenchError]]:
        """Train a pack; yields events as they come, and an `AugbenchError` that ended it all."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._packs.put(pack)
        over = False
        while not over:
            batch: list[Event | AugbenchError] = []
            while not over and (not batch or not self._events.empty()):
                event = self._events.get()
                over = isinstance(event, _PackDone | AugbenchError)
                if not isinstance(event, _PackDone):
                    batch.append(event)
            if batch:
                yield batch

    def stop(self) -> None:
        """End the worker process, and remove what was written here."""
        self._packs.put(None)
        if self._thread is not None:
            self._thread.join(timeout=2)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _work(self) -> None:
        try:
            WorkerProcesses(1).run(self._each_pack(), self._job, self._events.put)
        except AugbenchError as error:
            self._events.put(error)
        except Exception as error:
            self._events.put(StudyError(f"{type(error).__name__}: {error}"))

    def _each_pack(self) -> Iterator[Pack]:
        while (pack := self._packs.get()) is not None:
            yield pack
            self._events.put(_PackDone())


def _remove_left_over() -> None:
    """Remove the folders of stations that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError, ValueError):
            pid = int(folder.name.split("-")[2])
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                shutil.rmtree(folder, ignore_errors=True)
