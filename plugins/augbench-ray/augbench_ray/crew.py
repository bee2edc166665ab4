"""The driver's side of one run: workers on the cluster, their packs, and those of the dead.

Ray repeats nothing by itself: what was lost with a node is known here by its cells, and only those
that had not ended are trained again.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import ray
import ray.cloudpickle
from augbench.errors import AugbenchError, StoreWarning, StudyError
from augbench.executors.contract import Emit, Event, Finished, Job, Pack, Started, StepsDone
from augbench.executors.recovery import Loss, Recovery
from augbench.plugins.components import Component
from augbench.plugins.discovery import installed
from augbench.protocol.study import Cell
from ray.exceptions import GetTimeoutError, RayError

from augbench_ray import station
from augbench_ray.cluster import useful_nodes
from augbench_ray.datasets import Place, driver_dataset
from augbench_ray.plugin_files import packed
from augbench_ray.supervisor import Prepared

__all__ = ["Crew"]

ray.cloudpickle.register_pickle_by_value(station)

_LOOK_EVERY = 0.5  # seconds between two looks at the clock
_STARTS = 3  # of a worker that is lost before it trains
_FAREWELL = 3.0  # seconds that a worker has to end in order
_BASE = ("augbench", "augbench-ray", "numpy", "torch")


@dataclass(eq=False)
class _Worker:
    """A worker on some node, the answer that it owes, and the pack that it trains."""

    actor: Any
    answer: Any = None  # an ObjectRef, or an ObjectRefGenerator while it trains
    node: str = ""  # Ray's id
    name: str = "a node"
    state: str = "comes"  # then "prepares", "trains"
    versions: dict[str, str] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    device: str = ""
    pack: Sequence[Cell] = ()
    unfinished: dict[str, Cell] = field(default_factory=dict)
    steps: int = 0  # of this pack, as told so far


class Crew:
    """Trains packs with up to `slots` workers, each with a `share` of CPUs and GPUs."""

    def __init__(
        self,
        packs: Iterable[Pack],
        job: Job,
        emit: Emit,
        *,
        slots: int,
        share: tuple[float, float],
        patience: float,
    ) -> None:
        self._fresh, self._again = iter(packs), list[list[Cell]]()
        self._job, self._emit = job, emit
        self._slots, self._share, self._patience = slots, share, patience
        self._workers: list[_Worker] = []
        self._recovery = Recovery()
        self._refused: dict[str, str] = {}  # Ray's ids of nodes, and why
        self._exhausted = False  # no pack is left but those of the dead
        self._lost_starts = 0
        self._seen = time.monotonic()  # when a worker last trained
        plugins = {plugin.distribution: plugin.version for plugin in installed()}
        self._known = station.versions_of(dict.fromkeys((*_BASE, *sorted(plugins))))
        self._images: dict[str, Any] = {}

    def work(self) -> None:
        """Train everything."""
        self._plugins = ray.put(packed(self._job.plugins))
        self._hire()
        while self._workers:
            waiting = {worker.answer: worker for worker in self._workers}
            ready, _ = ray.wait(list(waiting), num_returns=1, timeout=_LOOK_EVERY)
            for answer in ready:
                self._look(waiting[answer])
            self._look_at_the_clock()

    def dismiss(self) -> None:
        """End every worker, whatever it does."""
        for worker in self._workers:
            with suppress(RayError):
                ray.kill(worker.actor)

    def _look(self, worker: _Worker) -> None:
        """A worker has something to say, or is gone."""
        try:
            if worker.state == "trains":
                events = ray.get(next(worker.answer))
            else:
                events = ray.get(worker.answer)
        except StopIteration:
            if worker.unfinished:
                self._mourn(worker, "it left cells of its pack out")
            else:
                self._go_on(worker)
        except RayError as error:
            self._mourn(worker, _cause(error))
        else:
            if worker.state == "comes":
                self._introduce(worker, *events)
            elif worker.state == "prepares":
                self._prepared(worker, events)
            else:
                self._take(worker, events)

    def _take(self, worker: _Worker, events: list[Event | AugbenchError]) -> None:
        self._seen, self._lost_starts = time.monotonic(), 0
        for event in events:
            if isinstance(event, AugbenchError):
                event.args = (f"node {worker.name}: {event}",)
                raise event
            if isinstance(event, Started):
                worker.device = event.device
            if isinstance(event, StepsDone):
                worker.steps += event.steps
            if isinstance(event, Finished):
                # The very cell that was sent: what came back has lost what it had computed.
                cell = worker.unfinished.pop(event.cell.key)
                event = replace(
                    event, cell=cell, device=worker.device, environment=worker.environment
                )
            self._emit(event)

    def _hire(self) -> None:
        """Ask Ray for the workers that are missing."""
        cpus, gpus = self._share
        actor: Any = ray.remote(station.Station)
        elsewhere = f"!in({','.join(self._refused)})" if self._refused else None
        wanted = self._slots
        if self._exhausted:  # all that is left is what dead workers had
            wanted = min(wanted, len(self._again) + self._training())
        while len(self._workers) < wanted:
            made: Any = actor.options(
                num_cpus=cpus,
                num_gpus=gpus or None,
                max_restarts=0,
                max_task_retries=0,
                scheduling_strategy="SPREAD",
                **({"label_selector": {"ray.io/node-id": elsewhere}} if elsewhere else {}),
            ).remote()
            self._workers.append(_Worker(made, made.describe.remote(tuple(self._known)[1:])))

    def _introduce(self, worker: _Worker, node: str, name: str, versions: dict[str, str]) -> None:
        """A worker is there: is it fit for the job?"""
        worker.node, worker.name, worker.versions = node, name, versions
        used = [component for _, component in self._job.datasets]
        used += [component for component, _ in self._job.backbones]
        if self._is_fit(worker, used):
            worker.state = "prepares"
            worker.answer = worker.actor.prepare.remote(self._job, self._plugins)

    def _is_fit(self, worker: _Worker, used: Iterable[Component]) -> bool:
        """Whether its versions are those of the driver; else it is left out, and its node."""
        names = dict.fromkeys(("Python", *_BASE, *(one.distribution for one in used)))
        wrong = [
            f"{name} {worker.versions[name] or 'missing'} (here {self._known[name]})"
            for name in names
            if self._known.get(name) and worker.versions[name] != self._known[name]
        ]
        if not wrong:
            return True
        if worker.node not in self._refused:
            self._refused[worker.node] = f"node {worker.name} has {', '.join(wrong)}"
            warnings.warn(
                f"left out: {self._refused[worker.node]}; install the same there", StoreWarning, 2
            )
        self._let_go(worker)
        if not useful_nodes(*self._share) - self._refused.keys():
            raise StudyError(
                "no node of the Ray cluster has the versions of this machine: "
                + "; ".join(self._refused.values())
            )
        self._hire()
        return False

    def _prepared(self, worker: _Worker, prepared: Prepared | None) -> None:
        if prepared is not None:
            worker.environment = prepared.environment
            sending = [
                worker.actor.take_dataset.remote(content_hash, self._image_of(content_hash))
                for content_hash in sorted(prepared.lacking)
            ]
            if sending:  # they are done in order: the last answer tells of all
                worker.answer = sending[-1]
                return
        self._go_on(worker)

    def _image_of(self, content_hash: str) -> Any:
        """The images of a data set, in Ray's object store once."""
        if content_hash not in self._images:
            component = dict(self._job.datasets)[content_hash]
            place = Place(self._job.plugins, self._job.data_root)
            self._images[content_hash] = ray.put(driver_dataset(place, component))
        return self._images[content_hash]

    def _go_on(self, worker: _Worker) -> None:
        """Give a worker its next pack, or let it go."""
        pack = self._next()
        if pack is None:
            self._exhausted = True
            self._let_go(worker)
            for other in [one for one in self._workers if one.state != "trains"]:
                self._let_go(other)
            return
        used = [member for cell in pack for member in cell.pipeline.components]
        if not self._is_fit(worker, used):
            self._again.append(pack)
            return
        worker.state = "trains"
        worker.pack, worker.steps = pack, 0
        worker.unfinished = {cell.key: cell for cell in pack}
        worker.answer = worker.actor.train.options(num_returns="streaming").remote(pack)
        self._seen = time.monotonic()

    def _next(self) -> list[Cell] | None:
        return self._recovery.next_pack(self._again, self._fresh, self._emit)

    def _training(self) -> int:
        return sum(worker.state == "trains" for worker in self._workers)

    def _mourn(self, worker: _Worker, cause: str) -> None:
        """A worker is lost: its cells that have not ended are trained again, elsewhere."""
        left = list(worker.unfinished.values())
        self._let_go(worker)
        if worker.state != "trains":
            self._lost_starts += 1
            if self._lost_starts >= _STARTS:
                raise StudyError(f"Ray cannot start a worker: {cause}")
        else:
            done = [cell for cell in worker.pack if cell.key not in worker.unfinished]
            if (untold := sum(cell.steps for cell in done) - worker.steps) > 0:
                self._emit(StepsDone(untold))
        if worker.state == "trains" and left:
            loss = Loss(f"was lost with its Ray worker on node {worker.name} ({cause})", "crashed")
            failures, again = self._recovery.after(left, loss)
            for failure in failures:
                self._emit(failure)
            self._again += reversed(again)
        self._hire()

    def _let_go(self, worker: _Worker) -> None:
        """End a worker; one that has nothing to do in order, so that it tidies up."""
        self._workers.remove(worker)
        if worker.state == "trains" and not worker.unfinished:
            with suppress(RayError, GetTimeoutError):
                ray.get(worker.actor.stop.remote(), timeout=_FAREWELL)
        with suppress(RayError):
            ray.kill(worker.actor)

    def _look_at_the_clock(self) -> None:
        if any(worker.state != "comes" for worker in self._workers):
            self._seen = time.monotonic()
        elif self._workers and time.monotonic() - self._seen > self._patience:
            cpus, gpus = self._share
            share = f"{cpus:g} CPU" + (f" and {gpus:g} GPU" if gpus else "")
            raise StudyError(
                f"no node of the Ray cluster had room for a worker of {share} in "
                f"{self._patience:.0f} s; `ray status` tells who holds it, and patience=… of the "
                "executor waits longer"
            )


def _cause(error: RayError) -> str:
    """What happened, in a few words."""
    lines: Iterator[str] = (line.strip() for line in str(error).splitlines())
    told = [line for line in lines if line]
    return f"{type(error).__name__}: {told[-1][:200]}" if told else type(error).__name__
