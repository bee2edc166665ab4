"""The executor: what `--executor ray` makes. Ray is imported when it is first needed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from augbench.errors import StudyError, UsageError
from augbench.executors.contract import Emit, Job, Pack

from augbench_ray.cluster import Room, connected, local_room

__all__ = ["RayExecutor", "executor"]


@dataclass(frozen=True)
class RayExecutor:
    """An `Executor` of workers on a Ray cluster: see `executor` for its parameters."""

    address: str = "auto"
    cpus: float = 1.0
    gpus: float = 0.0
    workers: int = 0
    patience: float = 300.0

    @cached_property
    def _room(self) -> Room:
        if self.address == "local":
            return local_room(self.cpus, self.gpus)
        with connected(self.address) as cluster:
            return cluster.room(self.cpus, self.gpus)

    @property
    def slots(self) -> int:
        """The workers that train at the same time; connects to the cluster to count them.

        Raises `UsageError` if the cluster cannot be reached, or no node of it can hold a worker.
        """
        return self.workers or self._room.workers

    def where(self, packs: int) -> str:
        """The place in words."""
        used, nodes = min(self.slots, packs), self._room.nodes
        return (
            f"{used} Ray worker{'s' if used > 1 else ''} "
            f"on a cluster of {nodes} node{'s' if nodes > 1 else ''}"
        )

    def run(self, packs: Iterable[Pack], job: Job, emit: Emit) -> None:
        """Train the packs on the cluster, emitting events as they come.

        Raises `UsageError` if the cluster cannot be reached, `StudyError` if no node can be used,
        and the `AugbenchError` that keeps a worker from starting. Any exception, a
        `KeyboardInterrupt` included, ends the workers.
        """
        job = self._on_node(job)
        with connected(self.address):
            from augbench_ray.crew import Crew

            share = (self.cpus, self.gpus)
            crew = Crew(packs, job, emit, slots=self.slots, share=share, patience=self.patience)
            try:
                crew.work()
            finally:
                crew.dismiss()

    def _on_node(self, job: Job) -> Job:
        """The job as a node takes it, where a worker sees its own GPUs alone."""
        kind = job.device.partition(":")[0]
        if kind == "cuda" and not self.gpus:
            raise StudyError(
                f"--device {job.device} needs GPUs of the cluster: write --executor ray:gpus=1, "
                "or a share of one, such as gpus=0.5"
            )
        if kind == "cpu" and self.gpus:
            raise StudyError(
                f"--executor ray:gpus={self.gpus:g} holds GPUs that --device {job.device} does not "
                "use: add --device cuda"
            )
        return replace(job, device="cuda") if kind == "cuda" else job


def executor(
    address: str = "auto",
    cpus: float = 1.0,
    gpus: float = 0.0,
    workers: int = 0,
    patience: float = 300.0,
) -> RayExecutor:
    """Workers on a Ray cluster, each with its share of a node's CPUs and GPUs.

    `address` is `auto` (the cluster that this machine belongs to, or RAY_ADDRESS), `local` (one
    for this study alone), or host:port. `workers` train at the same time; 0 for as many as the
    cluster holds. While none can be placed, `patience` seconds are waited for room.
    """
    if "://" in address:
        raise UsageError(
            f"ray: expected address as auto, local or host:port, got {address!r}; run the study on "
            "a node of the cluster"
        )
    for name, value, least in (("cpus", cpus, 0.0), ("gpus", gpus, 0.0), ("workers", workers, 0)):
        if value < least or (name == "cpus" and not value):
            raise UsageError(f"ray: expected {name} above {least:g}, got {value:g}")
    return RayExecutor(address, cpus, gpus, workers, patience)
