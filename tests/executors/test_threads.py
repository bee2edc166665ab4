"""Workers compute on one thread, whatever the user's environment says."""

import os
import subprocess
import sys

import pytest

LOOK = """
from augbench.executors.threads import configure_worker_threads
{before}
configure_worker_threads()
import torch
print(torch.get_num_threads(), (torch.tensor([1e-40]) * 1).item())
"""


@pytest.mark.parametrize(
    "before", ["", "import torch; torch.rand(300, 300) @ torch.rand(300, 300)"]
)
def test_one_thread_whatever_the_environment_says(before):
    environment = {**os.environ, "OMP_NUM_THREADS": "7", "MKL_NUM_THREADS": "5"}
    environment["OMP_WAIT_POLICY"] = "PASSIVE"  # the seven need not spin for their turn
    run = subprocess.run(
        [sys.executable, "-c", LOOK.format(before=before)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["1", "0.0"]
