"""The inside of a worker: a pack of cells in, events out.

`PackTrainer` is shared by every executor; `serve_packs` is what a worker process runs.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import queue
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from augbench.datasets.named import load_dataset
from augbench.errors import AugbenchError, StudyError, UsageError
from augbench.executors.clock import PackClock
from augbench.executors.contract import (
    Answer,
    Emit,
    Errand,
    Finished,
    Job,
    Pack,
    Packed,
    Started,
    StepsDone,
)
from augbench.options import named, written_as
from augbench.plugins.guard import Guard, Place
from augbench.plugins.registry import Registry
from augbench.training.notes import Note

if TYPE_CHECKING:
    import torch

    from augbench.batching.kept_backbones import KeptBackbones
    from augbench.batching.materials import CellMaterials
    from augbench.datasets.contract import Dataset, DatasetInfo
    from augbench.plugins.components import Component
    from augbench.training.contract import Engine

__all__ = ["PackTrainer", "Ready", "serve_packs"]

_REPORT_EVERY = 0.2  # seconds between two reports of progress


@dataclass(frozen=True)
class Ready:
    """A pack has been trained, or an errand run; the worker waits for the next one."""


class PackTrainer:
    """An engine with all it needs, ready for packs."""

    def __init__(self, job: Job, registry: Registry | None = None) -> None:
        import torch

        from augbench.batching.first_look import FirstLooks
        from augbench.batching.materials import CellMaterials

        self._job = job
        registry = registry or Registry.load(job.plugins)
        components = dict(job.datasets)

        def load(info: DatasetInfo) -> Dataset:
            return load_dataset(registry, components[info.content_hash], job.data_root)

        with written_as(dict(job.spelling)):
            for backbone, shape in job.backbones:
                _check_backbone(registry, backbone, shape)
            self._device = _device(job.device)
        self._notes: list[str] = []
        self._materials: CellMaterials = CellMaterials(
            registry.create, load, self._device, kept=self._kept_backbones(), shift=job.shift
        )
        self._looks = FirstLooks(self._materials)
        self._engine: Engine = _engine(job.engine)
        self.device_name = (
            torch.cuda.get_device_name(self._device)
            if self._device.type == "cuda"
            else self._device.type
        )

    def train(self, pack: Pack, emit: Emit) -> None:
        """Train a pack, emitting progress now and then and each result as it comes.

        Cells whose augmentations break their contract at first sight fail before anything trains.
        """
        from augbench.training.contract import failed

        done, last = 0, time.monotonic()

        def progress(steps: int) -> None:
            nonlocal done, last
            done += clock.advance(steps)
            if time.monotonic() - last > _REPORT_EVERY:
                emit(StepsDone(done))
                done, last = 0, time.monotonic()

        with written_as(dict(self._job.spelling)):
            fit = []
            for cell in pack:
                if error := self._looks.error(cell):
                    emit(Finished(cell, failed(cell, error, self._engine.name)))
                else:
                    fit.append(cell)
            cells, clock = {cell.key: cell for cell in fit}, PackClock(fit)
            trained = (
                self._engine.train(
                    fit, self._materials, test_every=self._job.test_every, progress=progress
                )
                if fit
                else ()
            )
            for result in trained:
                done += clock.end(cells[result.key])
                emit(Finished(cells[result.key], result))
        emit(StepsDone(done))
        notes = getattr(self._engine, "notes", [])
        remarks = self._materials.kept.notes if self._materials.kept else self._notes
        for note in (*notes, *(Note(0, text) for text in remarks)):
            emit(Packed(note))
        notes.clear()
        remarks.clear()

    def _kept_backbones(self) -> KeptBackbones | None:
        """The pretrained backbones in the job's folder, if this machine has it."""
        from augbench.batching.kept_backbones import KeptBackbones

        folder = self._job.kept_backbones
        if folder is None:
            return None
        if not folder.is_dir():  # it is made where the run was started
            self._notes.append(
                f"backbones of {socket.gethostname()} are not kept, since it has no folder {folder}"
            )
            return None
        return KeptBackbones(folder, self._job.test_every)


def _check_backbone(registry: Registry, backbone: Component, shape: tuple[int, int, int]) -> None:
    """Make the backbone once; raises `StudyError` if that fails."""
    import torch

    channels, height, width = shape
    try:
        guard = Guard(Place(f"backbone {backbone.label!r}", first=True))
        with torch.random.fork_rng(devices=[]), guard:
            registry.create(backbone)(channels, (height, width))
    except Exception as error:
        raise StudyError(
            f"backbone {backbone.label!r} cannot be made for images of {channels}×{height}×{width} "
            f"(channels × height × width): {' '.join(str(error).split())}"
        ) from error


def _device(name: str) -> torch.device:
    import torch

    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"{named('device', name)} cannot be used here ({reason}); expected cpu, or a device "
            "that torch finds, such as cuda, cuda:1 or mps"
        ) from error
    if device.type == "cuda":
        # torch lets cuDNN round a convolution's inputs to 10 bits (TF32), which would make two
        # engines, and two devices, differ by 1e-3.
        torch.backends.cudnn.allow_tf32 = False
    return device


def _engine(name: str) -> Engine:
    if name == "reference":
        from augbench.training.reference import ReferenceEngine

        return ReferenceEngine()
    from augbench.training.engine import PackedEngine

    return PackedEngine()


def serve_packs(messages: queue.SimpleQueue[Any], emit: Callable[[object], None]) -> None:
    """Be a worker process: take a job, then packs, one after the other, and train them.

    In the place of a pack may come an errand.
    """
    job: Job = messages.get()
    from augbench.executors.threads import configure_worker_threads

    # What torch makes while it is imported stays: looking for garbage in it costs 0.3 s now,
    # and milliseconds each time later.
    gc.disable()
    configure_worker_threads()
    gc.freeze()
    gc.enable()
    try:
        trainer = PackTrainer(job)
        emit(Started(trainer.device_name))
        while True:
            message: Pack | Errand = messages.get()
            if isinstance(message, Errand):
                _run_errand(message, emit)
            else:
                trainer.train(message, emit)
            emit(Ready())
    except AugbenchError as error:
        emit(error)  # the executor raises it


def _run_errand(errand: Errand, emit: Callable[[object], None]) -> None:
    module, _, function = errand.serve.partition(":")
    with contextlib.suppress(Exception):  # who sent it sees what is missing
        serve = getattr(importlib.import_module(module), function)
        serve(errand.message, lambda value: emit(Answer(value)))
