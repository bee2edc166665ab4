"""Submit jobs, and tell how they are: submitit, with one line where it cannot."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from augbench.errors import UsageError

from augbench_submitit.folders import JobFolder
from augbench_submitit.work import train

__all__ = ["Scheduler"]


class Scheduler:
    """A cluster's scheduler, or what stands for it on this machine."""

    def __init__(self, cluster: str, folder: Path, parameters: dict[str, object]) -> None:
        import submitit

        self._cluster = cluster
        self._logs = folder / "logs"
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
            self._executor: Any = submitit.AutoExecutor(folder=self._logs, cluster=cluster)
            self._executor.update_parameters(**parameters)
        except OSError as error:
            raise UsageError(f"no job can be prepared in {str(folder)!r}: {error}") from error
        except RuntimeError as error:
            raise UsageError(
                "submitit: SLURM is not found on this machine (no srun); run on a login node of "
                "the cluster, or write --executor submitit:cluster=local"
            ) from error
        except (ValueError, AssertionError) as error:
            raise UsageError(f"submitit: {_last_line(str(error))}") from error

    def submit(self, folders: Sequence[JobFolder]) -> list[tuple[str, Any]]:
        """Submit jobs, as one array where the scheduler has such; returns their numbers and them.

        Raises `UsageError` if the scheduler refuses them.
        """
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        try:
            if self._cluster != "slurm" or len(folders) == 1:
                jobs = [self._executor.submit(train, str(one.path)) for one in folders]
            else:
                jobs = self._executor.map_array(train, [str(one.path) for one in folders])
        except (FailedJobError, FailedSubmissionError, OSError) as error:
            raise UsageError(f"the scheduler refuses jobs: {_last_line(str(error))}") from error
        for job in jobs:
            if self._cluster == "debug":
                job.results()
        return [(str(job.job_id), job) for job in jobs]

    def known(self, cluster: str, number: str) -> Any:
        """The job of an earlier driver by its number, None if it has ended."""
        if cluster != self._cluster or cluster == "debug":
            return None
        if cluster == "local":
            return _Process(int(number)) if _Process(int(number)).lives else None
        import submitit

        job: Any = submitit.SlurmJob(self._logs, number)
        return None if job.done(force_check=True) else job

    def has_ended(self, job: Any) -> bool:
        """Whether the scheduler takes a job for ended, well or badly."""
        return bool(job.done())

    def cancel(self, job: Any) -> None:
        """End a job."""
        with suppress(Exception):  # it has ended meanwhile, or scancel has gone: nothing to do
            job.cancel(check=False)

    def why(self, job: Any) -> str:
        """In a few words, how a job ended that did not do so by itself."""
        state = str(getattr(job, "state", "")).lower() or "lost"
        with suppress(Exception):
            return f"{state}: {_last_line(job.stderr() or '')}".removesuffix(": ")
        return state


class _Process:
    """A local job of a driver that is gone."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    @property
    def lives(self) -> bool:
        """Whether it is there, and is what it was."""
        try:
            return b"submitit" in Path(f"/proc/{self._pid}/cmdline").read_bytes()
        except OSError:
            return False

    def done(self) -> bool:
        """Whether it has ended."""
        return not self.lives

    def cancel(self, check: bool = False) -> None:
        """End it in order."""
        import signal

        os.kill(self._pid, signal.SIGINT)


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")[:300]
