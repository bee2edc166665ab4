"""The executor: what `--executor submitit` makes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from augbench.errors import StudyError, UsageError
from augbench.executors.contract import Emit, Job, Pack

__all__ = ["SubmititExecutor", "executor"]


@dataclass(frozen=True)
class SubmititExecutor:
    """An `Executor` of jobs: see `executor` for its parameters."""

    folder: Path
    cluster: str = "slurm"
    array: int = 16
    cpus: int = 1
    gpus: int = 0
    packs: int = 1
    tries: int = 3
    parameters: dict[str, object] = field(default_factory=dict)

    @property
    def workers(self) -> int:
        """The worker processes of one job."""
        return self.gpus or self.cpus

    @property
    def slots(self) -> int:
        """The packs that train at the same time, once the queue lets all jobs run."""
        return self.array * self.workers

    def where(self, packs: int) -> str:
        """The place in words."""
        a_job = self.workers * self.packs
        used = min(self.array, -(-packs // a_job))
        name = "SLURM" if self.cluster == "slurm" else f"submitit ({self.cluster})"
        return f"{used} job{'s' if used > 1 else ''} at a time of {name}"

    def run(self, packs: Iterable[Pack], job: Job, emit: Emit) -> None:
        """Train the packs in jobs, emitting what they have finished as it is found.

        Raises `UsageError` if no job can be submitted, and the error that keeps a job from
        training. Any exception, a `KeyboardInterrupt` included, cancels the jobs.
        """
        from augbench_submitit.crew import Crew

        crew = Crew(self, packs, self._in_job(job), emit)
        try:
            crew.work()
        except BaseException:
            crew.cancel()
            raise

    def _in_job(self, job: Job) -> Job:
        kind = job.device.partition(":")[0]
        if (kind == "cuda") != bool(self.gpus):
            raise StudyError(
                f"--device {job.device} and --executor submitit:gpus={self.gpus} do not agree: "
                "write --device cuda and gpus=1, or neither"
            )
        return replace(job, device=kind)


def executor(
    folder: str,
    cluster: Literal["slurm", "local", "debug"] = "slurm",
    partition: str = "",
    timeout_min: int = 240,
    array: int = 16,
    cpus: int = 1,
    gpus: int = 0,
    mem_gb: float = 0.0,
    packs: int = 1,
    tries: int = 3,
    account: str = "",
    qos: str = "",
    constraint: str = "",
    extra: str = "",
) -> SubmititExecutor:
    """Jobs of a SLURM cluster, up to `array` of them at the same time.

    `folder` is one that all nodes share: jobs leave their stores there. A job has `cpus` worker
    processes, or one for each of its `gpus`, and trains `packs` packs with each. A job that is
    preempted, or fails, has its unfinished cells submitted again, `tries` times in all.
    `partition`, `account`, `qos`, `constraint`, `timeout_min` and `mem_gb` are SLURM's; `extra`
    holds more of its parameters, as in `nice=100;exclude=node7`. `cluster` is `local` for
    processes of this machine, `debug` for this very process.
    """
    for name, value, least in (
        ("timeout_min", timeout_min, 1),
        ("array", array, 1),
        ("cpus", cpus, 1),
        ("gpus", gpus, 0),
        ("packs", packs, 1),
        ("tries", tries, 1),
    ):
        if value < least:
            raise UsageError(f"submitit: expected {name} of at least {least}, got {value}")
    parameters: dict[str, object] = {
        "timeout_min": timeout_min,
        "cpus_per_task": cpus,
        "gpus_per_node": gpus or None,
        "mem_gb": mem_gb or None,
        "name": "augbench",
        "slurm_array_parallelism": array,
        "slurm_partition": partition or None,
        "slurm_account": account or None,
        "slurm_qos": qos or None,
        "slurm_constraint": constraint or None,
        "slurm_additional_parameters": _pairs(extra) or None,
    }
    return SubmititExecutor(
        Path(folder).expanduser().absolute(), cluster, array, cpus, gpus, packs, tries, parameters
    )


def _pairs(text: str) -> dict[str, str]:
    pairs = {}
    for part in filter(None, (one.strip() for one in text.split(";"))):
        name, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"submitit: expected extra as name=value;name=value, got {part!r}")
        pairs[name.strip()] = value.strip()
    return pairs
