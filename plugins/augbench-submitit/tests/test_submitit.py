from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from augbench import Options
from augbench.api import plan, run
from augbench.errors import StudyError, UsageError
from augbench.executors.contract import Finished, Job, StepsDone
from augbench.store import Store

pytest.importorskip("submitit", reason="submitit is not installed")

from augbench_submitit import crew
from augbench_submitit.executor import executor

PLUGIN = Path(__file__).parent / "small.py"
TIMED = {"seconds", "pretrain_seconds"}

# submitit lets its processes outlive it, and is not asked whether they still run.
pytestmark = pytest.mark.filterwarnings(
    "ignore:subprocess .* is still running:ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


def options(out: Path, **changes) -> Options:
    usual = {
        "augmentations": ("mixup",),
        "pretrain_datasets": ("small-a",),
        "finetune_datasets": ("small-b",),
        "samples_per_class": (1, 4),
        "seeds": 1,
        "batch_size": 4,
        "pretrain_steps": 8,
        "finetune_steps": 8,
        "finetune_samples_per_class": 5,
        "plugins": (str(PLUGIN),),
    }
    return Options(out=out, **{**usual, **changes})


def numbers(result) -> dict:
    return {
        cell.key: (
            cell.result.correct,
            {k: v for k, v in cell.result.metrics.items() if k not in TIMED},
        )
        for cell in result.stored.cells
        if cell.status == "ok"
    }


def job_of(planned) -> Job:
    return Job(
        engine="reference",
        device="cpu",
        datasets=tuple(planned.datasets.items()),
        plugins=planned.registry.arguments,
    )


def local(folder: Path, **parameters) -> str:
    more = "".join(f",{name}={value}" for name, value in parameters.items())
    return f"submitit:folder={folder},cluster=local,array=2{more}"


def jobs_in(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/cells.json"))


def wait_for(condition, seconds: float = 90.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_gives_the_local_numbers_and_each_job_leaves_a_store(tmp_path):
    jobs = tmp_path / "jobs"
    there = run(options(tmp_path / "there", executor=local(jobs)))
    here = run(options(tmp_path / "here", workers=2))
    assert len(numbers(here)) == 4
    assert numbers(there) == numbers(here)
    assert {cell.device for cell in there.stored.cells} == {"cpu"}
    found = set()
    for folder in jobs_in(jobs):
        with Store.read(folder / "store") as store:
            found |= {cell.key for cell in store.study().cells if cell.status == "ok"}
    assert found == numbers(here).keys()


def test_a_job_that_is_killed_costs_what_it_had_not_finished(tmp_path, monkeypatch):
    notes, jobs = tmp_path / "notes", tmp_path / "jobs"
    notes.mkdir()
    planned = plan(
        options(tmp_path / "out", augmentations=(f"notes:folder='{notes}',seconds=0.3",))
    )
    events, killed = [], []

    def look(self, one):
        if not killed and (found := list(notes.iterdir())):
            killed.append(parent_of(int(found[0].name.partition("-")[0])))
            os.kill(killed[0], signal.SIGKILL)
        usual(self, one)

    usual = crew.Crew._look
    monkeypatch.setattr(crew.Crew, "_look", look)
    made = executor(str(jobs), cluster="local", array=1)
    made.run([list(planned.cells)], job_of(planned), events.append)
    finished = [event for event in events if isinstance(event, Finished)]
    assert killed
    assert sorted(e.cell.key for e in finished) == sorted(cell.key for cell in planned.cells)
    assert all(event.result.ok for event in finished)
    assert all(event.together and event.environment for event in finished)
    assert any(isinstance(event, StepsDone) for event in events)
    assert len(jobs_in(jobs)) == 2


def test_a_driver_started_again_takes_what_jobs_finish_meanwhile(tmp_path):
    notes, jobs = tmp_path / "notes", tmp_path / "jobs"
    notes.mkdir()
    changes = {
        "augmentations": (f"notes:folder='{notes}',seconds=0.3",),
        "executor": local(jobs),
    }
    words = f"""
from pathlib import Path
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_submitit import options, run
run(options(Path({str(tmp_path / "there")!r}), **{changes!r}))
"""
    driver = subprocess.Popen([sys.executable, "-c", words])
    try:
        wait_for(lambda: any(notes.iterdir()))
    finally:
        driver.kill()
        driver.wait()
    before = jobs_in(jobs)
    there = run(options(tmp_path / "there", **changes))
    here = run(options(tmp_path / "here", workers=1, augmentations=changes["augmentations"]))
    assert numbers(there) == numbers(here)
    assert len(numbers(there)) == 4
    assert jobs_in(jobs) == before  # none was submitted twice
    again = run(options(tmp_path / "again", **changes))
    assert numbers(again) == numbers(here)
    assert jobs_in(jobs) == before  # all was there


class _DeadJobs:
    """Stands for a scheduler that ends every job before it starts."""

    submitted = 0

    def __init__(self, *args) -> None: ...

    def submit(self, folders):
        type(self).submitted += len(folders)
        return [("1", object()) for _ in folders]

    def known(self, cluster, number):
        return None

    def has_ended(self, job):
        return True

    def why(self, job):
        return "preempted"

    def cancel(self, job): ...


def test_jobs_that_end_early_are_submitted_a_bounded_number_of_times(tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "Scheduler", _DeadJobs)
    monkeypatch.setattr(crew, "_LOOK_EVERY", 0.01)
    planned, events = plan(options(tmp_path)), []
    made = executor(str(tmp_path / "jobs"), array=2, tries=3)
    made.run([[cell] for cell in planned.cells], job_of(planned), events.append)
    assert _DeadJobs.submitted == 3 * len(planned.cells)
    assert len(events) == len(planned.cells)
    for event in events:
        assert event.result.failure == "error"  # the next run tries again
        assert "its job ended 3 times before it was finished" in event.result.error
        assert "preempted" in event.result.error


def test_what_keeps_a_job_from_training_is_raised_in_one_line(tmp_path):
    from dataclasses import replace

    planned = plan(options(tmp_path))
    job = replace(job_of(planned), plugins=(str(tmp_path / "gone.py"),))
    made = executor(str(tmp_path / "jobs"), cluster="local")
    with pytest.raises(UsageError, match=r"a job could not train: .*gone\.py.*no such file") as bad:
        made.run([list(planned.cells)], job, lambda event: None)
    assert "\n" not in str(bad.value)


def test_the_very_process_can_stand_for_a_cluster(tmp_path):
    planned, events = plan(options(tmp_path, samples_per_class=(1,))), []
    made = executor(str(tmp_path / "jobs"), cluster="debug", array=1)
    made.run([list(planned.cells)], job_of(planned), events.append)
    finished = [event for event in events if isinstance(event, Finished)]
    assert len(finished) == len(planned.cells)
    assert all(event.result.ok for event in finished)


def test_without_slurm_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match=r"SLURM is not found on this machine \(no srun\)") as bad:
        run(options(tmp_path / "out", executor=f"submitit:folder={tmp_path / 'jobs'}"))
    assert bad.value.exit_code == 2
    assert "\n" not in str(bad.value)


def test_a_queue_that_refuses_says_why(tmp_path, monkeypatch):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("srun", "sbatch", "sacct"):
        (tools / name).write_text(
            "#!/bin/sh\necho 'sbatch: error: invalid partition specified: gpus' >&2\nexit 1\n"
        )
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    with pytest.raises(
        UsageError, match=r"the scheduler refuses jobs: .*invalid partition specified: gpus"
    ) as bad:
        run(options(tmp_path / "out", executor=f"submitit:folder={tmp_path / 'jobs'}"))
    assert "\n" not in str(bad.value)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="no job can be prepared in"):
        run(options(tmp_path / "out", executor=local(tmp_path / "file")))


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"array": 0}, "expected array of at least 1, got 0"),
        ({"tries": 0}, "expected tries of at least 1"),
        ({"extra": "nice"}, "expected extra as name=value;name=value, got 'nice'"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, reason):
    with pytest.raises(UsageError, match=reason):
        executor("jobs", **parameters)


def test_the_parameters_are_slurm_s():
    made = executor("jobs", partition="gpu", extra="nice=100; exclude=node7", gpus=1, array=4)
    assert made.parameters["slurm_partition"] == "gpu"
    assert made.parameters["slurm_array_parallelism"] == 4
    assert made.parameters["slurm_additional_parameters"] == {"nice": "100", "exclude": "node7"}
    assert made.slots == 4
    with pytest.raises(StudyError, match="do not agree"):
        made.run([], Job("packed", "cpu", ()), lambda event: None)
