"""The inside of a worker: a pack of cells in, events out.

`PackTrainer` is shared by every executor; `main` is what a worker process runs: pickled packs on
its standard input, pickled events on what was its standard output.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from augbench.datasets.named import load_dataset
from augbench.errors import AugbenchError, StudyError, UsageError
from augbench.executors.contract import Emit, Finished, Job, Pack, Packed, Started, StepsDone
from augbench.options import named, written_as
from augbench.plugins.registry import Registry

if TYPE_CHECKING:
    import torch

    from augbench.batching.materials import CellMaterials
    from augbench.datasets.contract import Dataset, DatasetInfo
    from augbench.plugins.components import Component
    from augbench.training.contract import Engine

__all__ = ["PackTrainer", "main"]

_REPORT_EVERY = 0.2  # seconds between two reports of progress


class PackTrainer:
    """An engine with all it needs, ready for packs."""

    def __init__(self, job: Job, registry: Registry | None = None) -> None:
        import torch

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
        self._materials: CellMaterials = CellMaterials(registry.create, load, self._device)
        self._engine: Engine = _engine(job.engine)
        self.device_name = (
            torch.cuda.get_device_name(self._device)
            if self._device.type == "cuda"
            else self._device.type
        )

    def train(self, pack: Pack, emit: Emit) -> None:
        """Train a pack, emitting progress now and then and each result as it comes."""
        done, last = 0, time.monotonic()

        def progress(steps: int) -> None:
            nonlocal done, last
            done += steps
            if time.monotonic() - last > _REPORT_EVERY:
                emit(StepsDone(done))
                done, last = 0, time.monotonic()

        cells = {cell.key: cell for cell in pack}
        with written_as(dict(self._job.spelling)):
            for result in self._engine.train(
                pack, self._materials, test_every=self._job.test_every, progress=progress
            ):
                emit(Finished(cells[result.key], result))
        emit(StepsDone(done))
        notes = getattr(self._engine, "notes", [])
        for note in notes:
            emit(Packed(note))
        notes.clear()


def _check_backbone(registry: Registry, backbone: Component, shape: tuple[int, int, int]) -> None:
    """Make the backbone once; raises `StudyError` if that fails."""
    import torch

    channels, height, width = shape
    try:
        with torch.random.fork_rng(devices=[]):
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


def main() -> None:
    """Serve packs from standard input until it closes."""
    # The parent decides when to stop; Ctrl-C reaches the whole group of processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source = sys.stdin.buffer
    # What a plugin prints must not get between the events: it goes to standard error.
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def emit(event: object) -> None:
        pickle.dump(event, sink)
        sink.flush()

    try:
        path, job = pickle.load(source)
        sys.path[:] = path
        from augbench.executors.threads import configure_worker_threads

        # What torch makes while it is imported stays: looking for garbage in it costs 0.3 s now,
        # and milliseconds each time later.
        gc.disable()
        configure_worker_threads()
        gc.freeze()
        gc.enable()
        trainer = PackTrainer(job)
        emit(Started(trainer.device_name))
        for pack in _packs(source):
            trainer.train(pack, emit)
            emit(None)  # ready for the next one
    except AugbenchError as error:
        emit(error)
    except BrokenPipeError:
        # The parent is gone, and with it whoever could store a result.
        os._exit(1)


def _packs(source: BinaryIO) -> Iterator[Pack]:
    while True:
        try:
            yield pickle.load(source)
        except EOFError:
            return
