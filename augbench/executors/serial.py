"""Packs one after the other in this process: simplest to debug, and the way on a GPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from augbench.executors.contract import Event, Job, Pack, Started
from augbench.executors.worker import Bench
from augbench.plugins.registry import Registry

__all__ = ["run_serially"]


def run_serially(
    packs: Sequence[Pack], job: Job, registry: Registry | None = None
) -> Iterator[Event]:
    """Train the packs here, yielding each pack's events when it ends."""
    bench = Bench(job, registry)
    yield Started(bench.device_name)
    for pack in packs:
        events: list[Event] = []
        bench.train(pack, events.append)
        yield from events
