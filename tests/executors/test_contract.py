"""Promises of the contract, kept by each executor of the core."""

import inspect
import pickle
from dataclasses import replace

import pytest

from augbench.api import plan
from augbench.executors.contract import Executor, Finished, Job, Packed, Started, StepsDone
from augbench.executors.processes import WorkerProcesses
from augbench.executors.serial import ThisProcess

EXECUTORS = [ThisProcess(), WorkerProcesses(1)]
each = pytest.mark.parametrize("executor", EXECUTORS, ids=lambda one: type(one).__name__)


@pytest.fixture
def job(tiny_options):
    planned = plan(tiny_options)
    return planned, Job(
        engine="reference",
        device="cpu",
        datasets=tuple(planned.datasets.items()),
        plugins=planned.registry.arguments,
    )


@each
def test_every_executor_has_the_one_signature(executor):
    for name in ("run", "where"):
        ours, contract = (inspect.signature(getattr(o, name)) for o in (type(executor), Executor))
        assert ours == contract
    assert executor.slots >= 1
    assert executor.where(1)
    assert pickle.loads(pickle.dumps(executor)) == executor


@each
@pytest.mark.usefixtures("fresh_interpreters")
def test_every_cell_ends_in_one_event_and_every_step_is_counted(executor, job):
    planned, work = job
    cells = planned.cells[:3]
    events = []
    executor.run([cells[:2], cells[2:]], pickle.loads(pickle.dumps(work)), events.append)
    finished = [event for event in events if isinstance(event, Finished)]
    assert sorted(one.cell.key for one in finished) == sorted(cell.key for cell in cells)
    assert all(one.result.ok and one.result.key == one.cell.key for one in finished)
    assert isinstance(events[0], Started)
    assert sum(e.steps for e in events if isinstance(e, StepsDone)) == sum(c.steps for c in cells)
    assert all(isinstance(e, (Started, StepsDone, Packed, Finished)) for e in events)


@each
def test_what_an_observer_raises_ends_the_training(executor, job):
    planned, work = job

    def emit(event):
        if isinstance(event, Finished):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        executor.run([[cell] for cell in planned.cells], work, emit)


@each
def test_what_keeps_packs_from_being_trained_is_raised_in_the_users_words(executor, job):
    planned, work = job
    work = replace(work, device="warp", spelling=(("device", "--device"),))
    with pytest.raises(ValueError, match="--device warp cannot be used here"):
        executor.run([planned.cells[:1]], work, lambda event: None)
