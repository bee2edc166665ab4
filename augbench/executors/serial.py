"""Packs one after the other in this process: simplest to debug, and the way on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from augbench.executors.contract import Event, Job, Pack, Started
from augbench.executors.worker import Bench
from augbench.plugins.registry import Registry

__all__ = ["run_serially"]


def run_serially(
    packs: Sequence[Pack], job: Job, registry: Registry, emit: Callable[[Event], None]
) -> None:
    """Train the packs here, with the plugins already loaded, emitting events as they come.

    Like a worker, it uses one thread: networks this small only lose by sharing their steps out.
    """
    import torch

    threads, rounds = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    torch.set_num_threads(1)
    try:
        bench = Bench(job, registry)
        emit(Started(bench.device_name))
        for pack in packs:
            bench.train(pack, emit)
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.allow_tf32 = rounds
