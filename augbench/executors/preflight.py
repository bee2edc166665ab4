"""Ask whether this machine can train a study, before anything trains.

Only torch knows whether it has a device, and only its own code whether a backbone can be made. Both
are asked in a process of their own, so that the one that asks loads no torch and survives whatever
a plugin does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from augbench.errors import StudyError
from augbench.executors.contract import Job
from augbench.executors.isolated import ChildEndedError, Isolated
from augbench.executors.worker import PackTrainer

__all__ = ["check_job", "make_trainer"]


@functools.lru_cache(maxsize=64)
def check_job(job: Job) -> None:
    """Raise the `AugbenchError` with which a worker would refuse the job's device or backbones.

    Data sets are not loaded. A job that was accepted is not asked about again in this process.
    """
    try:
        with Isolated("augbench.executors.preflight:make_trainer", job) as child:
            for _ in child.answers():
                pass
    except ChildEndedError as error:
        where = f"in {error.place.who}" if error.place else "before it was ready"
        raise StudyError(
            f"a worker process {error.how} {where}; nothing can be trained with it"
        ) from error


def make_trainer(job: Job, emit: Callable[[object], None]) -> None:
    """Do what a worker does first, in the child process."""
    PackTrainer(job)
