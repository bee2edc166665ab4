"""Ask whether this machine can train a study, before anything trains.

Only torch knows whether it has a device, and only its own code whether a backbone can be made. Both
are asked in a process of their own, so that the one that asks loads no torch and survives whatever
a plugin does.
"""

from __future__ import annotations

import functools
import os
import pickle
import subprocess
import sys
from pathlib import Path

import augbench
from augbench.errors import AugbenchError, StudyError
from augbench.executors.contract import Job

__all__ = ["check_job", "main"]

_LONGEST = 300  # seconds; a plugin that takes longer is left to the workers


@functools.lru_cache(maxsize=64)
def check_job(job: Job) -> None:
    """Raise the `AugbenchError` with which a worker would refuse the job's device or backbones.

    Data sets are not loaded. A job that was accepted is not asked about again in this process.
    """
    paths = (str(Path(augbench.__file__).parent.parent), os.environ.get("PYTHONPATH", ""))
    try:
        done = subprocess.run(
            # -P: the working directory is not put on the path.
            [sys.executable, "-P", "-c", "from augbench.executors.preflight import main; main()"],
            input=pickle.dumps((list(sys.path), job)),
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            timeout=_LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return
    try:
        error = pickle.loads(done.stdout)
    except (EOFError, pickle.UnpicklingError):
        labels = ", ".join(repr(backbone.label) for backbone, _ in job.backbones)
        raise StudyError(
            f"the process that tried backbone {labels} on {job.device!r} ended with code "
            f"{done.returncode} and no answer; see what `augbench check` says of it"
        ) from None
    if error is not None:
        raise error


def main() -> None:
    """Answer for the job on standard input: None, or the error that a worker would raise."""
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a plugin prints is no answer
    sys.path[:], job = pickle.load(sys.stdin.buffer)

    from augbench.executors.worker import PackTrainer

    error: AugbenchError | None = None
    try:
        PackTrainer(job)
    except AugbenchError as found:
        error = found
    pickle.dump(error, sink)
    sink.flush()
    os._exit(0)  # nothing here is worth the time that a tidy end of torch takes
