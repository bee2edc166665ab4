"""Packs one after the other in this process: simplest to debug."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from augbench.executors.contract import Emit, Event, Finished, Job, Pack, Started
from augbench.executors.recovery import Loss, Recovery
from augbench.executors.told import prints_are_told
from augbench.executors.worker import PackTrainer
from augbench.plugins.registry import Registry
from augbench.protocol.study import Cell

__all__ = ["ThisProcess", "serial"]


@dataclass(frozen=True)
class ThisProcess:
    """An `Executor` in this process, on one thread.

    `registry` are plugins that are loaded already; without one, it loads the job's. What ends the
    process in native code ends the run; what raises `SystemExit` costs the cell that does. No limit
    on time is kept. What plugins print is shown at once, on the error stream.
    """

    registry: Registry | None = None

    slots = 1

    def where(self, packs: int) -> str:
        """The place in words."""
        return "in this process"

    def run(self, packs: Iterable[Pack], job: Job, emit: Emit) -> None:
        """Train the packs here, emitting events as they come.

        Like a worker, it uses one thread: networks this small only lose by sharing their steps out.
        """
        import torch

        threads, rounds = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
        torch.set_num_threads(1)
        try:
            with prints_are_told():
                trainer = PackTrainer(job, self.registry)
                emit(Started(trainer.device_name))
                recovery = Recovery()
                for pack in packs:
                    _train(list(pack), trainer, recovery, emit)
        finally:
            torch.set_num_threads(threads)
            torch.backends.cudnn.allow_tf32 = rounds


def serial() -> ThisProcess:
    """This very process, without workers."""
    return ThisProcess()


def _train(pack: list[Cell], trainer: PackTrainer, recovery: Recovery, emit: Emit) -> None:
    """Train a pack; what ends early by `SystemExit` is trained again without the guilty cell."""
    together = tuple(cell.key for cell in pack)
    left = {cell.key: cell for cell in pack}

    def forward(event: Event) -> None:
        if isinstance(event, Finished):
            del left[event.cell.key]
            event = replace(event, together=together)
        emit(event)

    try:
        trainer.train(pack, forward)
    except SystemExit as error:
        loss = Loss(f"raised {type(error).__name__}", "crashed")
        failures, again = recovery.after(list(left.values()), loss)
        for failure in failures:
            emit(failure)
        for part in again:
            _train(part, trainer, recovery, emit)
