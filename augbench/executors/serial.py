"""Packs one after the other in this process: simplest to debug, and the way on a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from augbench.executors.contract import Emit, Job, Pack, Started
from augbench.executors.worker import PackTrainer
from augbench.plugins.registry import Registry

__all__ = ["ThisProcess"]


@dataclass(frozen=True)
class ThisProcess:
    """An `Executor` in this process, on one thread.

    `registry` are plugins that are loaded already; without one, it loads the job's.
    """

    registry: Registry | None = None

    slots = 1

    def where(self, packs: int) -> str:
        """The place in words."""
        return "in this process"

    def run(self, packs: Sequence[Pack], job: Job, emit: Emit) -> None:
        """Train the packs here, emitting events as they come.

        Like a worker, it uses one thread: networks this small only lose by sharing their steps out.
        """
        import torch

        threads, rounds = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
        torch.set_num_threads(1)
        try:
            trainer = PackTrainer(job, self.registry)
            emit(Started(trainer.device_name))
            for pack in packs:
                trainer.train(pack, emit)
        finally:
            torch.set_num_threads(threads)
            torch.backends.cudnn.allow_tf32 = rounds
