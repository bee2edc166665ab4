"""Promises of the contract, kept by each executor of the core."""

import inspect
import pickle
from dataclasses import dataclass, replace

import pytest

from augbench.api import plan, run
from augbench.errors import ParameterError
from augbench.executors.contract import (
    Answer,
    Errand,
    Executor,
    Finished,
    Job,
    Packed,
    Started,
    StepsDone,
)
from augbench.executors.processes import WorkerProcesses
from augbench.executors.serial import ThisProcess
from augbench.plugins.registry import Registry
from augbench.protocol.cell_result import CellResult

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


def test_an_executor_is_named_with_its_parameters():
    registry = Registry.load()
    for spec, expected in (("processes:3", WorkerProcesses(3)), ("serial", ThisProcess())):
        assert registry.create(registry.resolve("executor", spec))() == expected
    with pytest.raises(ParameterError, match=r"executor 'processes': .*workers"):
        registry.resolve("executor", "processes:workers=many")


@dataclass(frozen=True)
class _Elsewhere:
    """Another machine, which tells so."""

    slots = 1

    def where(self, packs):
        return "elsewhere"

    def run(self, packs, job, emit):
        for pack in packs:
            for cell in pack:
                result = CellResult(cell.key, error="Gone: it was only pretended")
                emit(Finished(cell, result, (cell.key,), "a TPU", {"cpu": "another", "cores": 7}))


def test_a_result_tells_the_machine_that_trained_it(tiny_options, monkeypatch):
    monkeypatch.setattr("augbench.running.computing.executor_of", lambda *args: _Elsewhere())
    stored = run(tiny_options).stored
    assert {cell.device for cell in stored.cells} == {"a TPU"}
    assert {cell.environment["cpu"] for cell in stored.cells} == {"another"}


@pytest.mark.parametrize(
    ("errand", "answers"),
    [
        (Errand("errands:count", 3), [0, 1, 2]),
        (Errand("errands:dies", "first"), ["first"]),
        (Errand("errands:raises", "first"), ["first"]),
        (Errand("errands:nothing", "first"), []),
    ],
)
def test_an_idle_worker_runs_the_errand_whose_end_costs_no_cell(job, errand, answers):
    planned, work = job
    events = []
    cells = planned.cells[:2]
    WorkerProcesses(2).run([cells], replace(work, errand=errand), events.append)
    finished = [event for event in events if isinstance(event, Finished)]
    assert [one.result.ok for one in finished] == [True, True]
    assert [event.value for event in events if isinstance(event, Answer)] == answers
