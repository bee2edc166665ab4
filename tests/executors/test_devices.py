"""Several devices: what may be asked for, and that workers are dealt over them."""

from dataclasses import replace

import pytest

from augbench.api import plan
from augbench.errors import UsageError
from augbench.executors.contract import Job
from augbench.executors.processes import WorkerProcesses
from augbench.running import dealing
from augbench.running.dealing import devices_of, executor_of


@pytest.mark.parametrize(
    ("name", "gpus", "devices"),
    [
        ("auto", 0, ("cpu",)),
        ("auto", 2, ("cuda",)),
        ("cpu", 2, ("cpu",)),
        ("cuda:1", 2, ("cuda:1",)),
        ("cuda:0, cuda:1", 2, ("cuda:0", "cuda:1")),
        ("cuda:all", 3, ("cuda:0", "cuda:1", "cuda:2")),
    ],
)
def test_a_device_may_be_one_several_or_all(monkeypatch, name, gpus, devices):
    monkeypatch.setattr(dealing, "cuda_devices", lambda: gpus)
    assert devices_of(name) == devices


@pytest.mark.parametrize("name", ["cuda:all", "cuda:0,cuda:0", "cuda:0,", ","])
def test_other_lists_are_refused_in_one_line(monkeypatch, name):
    monkeypatch.setattr(dealing, "cuda_devices", lambda: 0)
    with pytest.raises(UsageError, match="device") as caught:
        devices_of(name)
    assert "\n" not in str(caught.value)


def test_each_gpu_gets_a_worker(monkeypatch, tiny_options):
    monkeypatch.setattr(dealing, "cuda_devices", lambda: 3)
    options = replace(tiny_options, device="cuda:all", workers=None)
    executor = executor_of(options, registry=None)
    assert executor == WorkerProcesses(3, ("cuda:0", "cuda:1", "cuda:2"))


def test_workers_are_dealt_over_the_devices(tiny_options):
    planned = plan(tiny_options)
    job = Job("reference", "cpu", tuple(planned.datasets.items()), plugins=tiny_options.plugins)
    packs = [[cell] for cell in planned.cells[:2]]
    # The second worker gets the second device, which is none.
    with pytest.raises(UsageError, match=r"warp.* cannot be used here"):
        WorkerProcesses(2, ("cpu", "warp")).run(packs, job, lambda event: None)
