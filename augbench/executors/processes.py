"""Worker processes of one thread each, fed with packs as they become free.

Each worker is a fresh interpreter, not a copy of this one: no main module is imported again, no
thread pool is inherited, and it works the same on every system. A worker that dies costs the
cells it was training; they are reported as failed, and another worker goes on with the rest.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import augbench
from augbench.errors import AugbenchError
from augbench.executors.contract import Emit, Finished, Job, Pack
from augbench.executors.threads import worker_environment
from augbench.options import named
from augbench.protocol.cell_result import CellResult

__all__ = ["WorkerProcesses"]


def _environment() -> dict[str, str]:
    """The environment of a worker: one thread, and this very AugBench found first."""
    paths = (str(Path(augbench.__file__).parent.parent), os.environ.get("PYTHONPATH", ""))
    path = os.pathsep.join(filter(None, paths))
    return {**os.environ, **worker_environment(), "PYTHONPATH": path}


class _Worker:
    """One worker process, with a thread that forwards its events to the common queue."""

    def __init__(self, job: Job, inbox: queue.Queue[tuple[_Worker, object]]) -> None:
        self.pack: Pack = ()
        self.unfinished: set[str] = set()
        self._process = subprocess.Popen(
            # -P: the working directory is not put on the path.
            [sys.executable, "-P", "-c", "from augbench.executors.worker import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
        )
        self._send((list(sys.path), job))
        threading.Thread(target=self._forward, args=(inbox,), daemon=True).start()

    def _forward(self, inbox: queue.Queue[tuple[_Worker, object]]) -> None:
        assert self._process.stdout is not None
        try:
            while True:
                inbox.put((self, pickle.load(self._process.stdout)))
        except (EOFError, pickle.UnpicklingError, OSError, ValueError):
            inbox.put((self, _Ended()))

    def _send(self, value: object) -> None:
        assert self._process.stdin is not None
        # If it is gone, its end is on its way through the queue.
        with contextlib.suppress(OSError):
            pickle.dump(value, self._process.stdin)
            self._process.stdin.flush()

    def give(self, pack: Pack) -> None:
        """Send the next pack."""
        self.pack, self.unfinished = pack, {cell.key for cell in pack}
        self._send(pack)

    def exit_code(self) -> int:
        """Wait for its end; returns the exit code."""
        return self._process.wait()

    def stop(self) -> None:
        """End it, whatever it is doing."""
        self._process.terminate()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class _Ended:
    """A worker's events have come to an end."""


@dataclass(frozen=True)
class WorkerProcesses:
    """An `Executor` of up to `slots` worker processes of one thread each."""

    slots: int

    def where(self, packs: int) -> str:
        """The place in words."""
        used = min(self.slots, packs)
        return f"{used} worker{'s' if used > 1 else ''} of one thread"

    def run(self, packs: Sequence[Pack], job: Job, emit: Emit) -> None:
        """Train the packs on worker processes, emitting events as they come.

        Raises the `AugbenchError` that keeps a worker from starting. Any exception, a
        `KeyboardInterrupt` included, stops the workers.
        """
        waiting = list(reversed(packs))
        inbox: queue.Queue[tuple[_Worker, object]] = queue.Queue()
        busy: set[_Worker] = set()

        def hire() -> None:
            worker = _Worker(job, inbox)
            busy.add(worker)
            worker.give(waiting.pop())

        try:
            while waiting and len(busy) < self.slots:
                hire()
            while busy:
                worker, event = inbox.get()
                if isinstance(event, AugbenchError):
                    raise event
                if isinstance(event, _Ended):
                    busy.discard(worker)
                    for loss in _lost(worker):
                        emit(loss)
                    worker.stop()
                    if waiting:
                        hire()
                elif event is None:
                    if waiting:
                        worker.give(waiting.pop())
                    else:
                        busy.discard(worker)
                        worker.stop()
                else:
                    if isinstance(event, Finished):
                        worker.unfinished.discard(event.cell.key)
                    emit(event)  # type: ignore[arg-type]  # only events remain
        finally:
            for worker in busy:
                worker.stop()


def _lost(worker: _Worker) -> Iterator[Finished]:
    """The failures of the cells that a dead worker was training."""
    code = worker.exit_code()
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    for cell in worker.pack:
        if cell.key in worker.unfinished:
            yield Finished(
                cell,
                CellResult(
                    key=cell.key,
                    error=f"WorkerDied: the worker process {how} while training this cell; "
                    f"if memory ran out, use fewer {named('workers')}, then run again",
                ),
            )
