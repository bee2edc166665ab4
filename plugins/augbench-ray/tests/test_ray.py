from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from augbench import Options
from augbench.api import plan, run
from augbench.errors import StoreError, StoreWarning, StudyError, UsageError
from augbench.executors.contract import Finished, Job, Started, StepsDone
from augbench.executors.processes import WorkerProcesses
from augbench.store import Store

pytest.importorskip("ray", reason="ray is not installed")

from augbench_ray import crew
from augbench_ray.executor import executor
from augbench_ray.plugin_files import packed, unpacked

PLUGIN = Path(__file__).parent / "small.py"
TIMED = {"seconds", "pretrain_seconds"}


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
    """All that training gave: the bits of every test image, and every metric but the time."""
    return {
        cell.key: (
            cell.result.correct,
            {k: v for k, v in cell.result.metrics.items() if k not in TIMED},
        )
        for cell in result.stored.cells
        if cell.status == "ok"
    }


def job_of(planned, **changes) -> Job:
    return Job(
        engine="reference",
        device="cpu",
        datasets=tuple(planned.datasets.items()),
        plugins=planned.registry.arguments,
        **changes,
    )


def pids_in(folder: Path) -> set[int]:
    return {int(path.name.partition("-")[0]) for path in folder.iterdir()}


def gone(pids: set[int], within: float = 10.0) -> bool:
    end = time.monotonic() + within
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def test_gives_the_local_numbers_with_a_plugin_and_images_that_the_driver_alone_has(
    two_nodes, tmp_path, monkeypatch
):
    folder = tmp_path / "the driver's"
    folder.mkdir()
    mine = shutil.copy(PLUGIN, folder / "mine.py")
    monkeypatch.setenv("SMALL_FOLDER", str(folder))  # the nodes started without it

    def from_elsewhere(plugins):
        # On a node of another machine there is no such file.
        return tuple((name.replace("driver", "absent"), text) for name, text in packed(plugins))

    monkeypatch.setattr(crew, "packed", from_elsewhere)
    changes = {
        "plugins": (str(mine),),
        "pretrain_datasets": (f"here-alone:folder={folder}",),
    }
    there = run(options(tmp_path / "there", executor=f"ray:address={two_nodes.address}", **changes))
    here = run(options(tmp_path / "here", workers=2, **changes))
    assert len(numbers(here)) == 4
    assert numbers(there) == numbers(here)
    assert {cell.device for cell in there.stored.cells} == {"cpu"}
    assert all(cell.environment["cpu"] for cell in there.stored.cells)


def test_a_crash_is_named_and_isolated_and_a_node_of_other_versions_left_out(
    two_nodes, tmp_path, monkeypatch
):
    usual = crew.Crew._introduce
    old = set()

    def introduce(self, worker, node, name, versions):
        old.add(min(node, *old) if old else node)
        if node in old and len(old) == 1:
            versions = {**versions, "numpy": "1.0"}
        usual(self, worker, node, name, versions)

    monkeypatch.setattr(crew.Crew, "_introduce", introduce)
    with pytest.warns(StoreWarning, match=r"left out: node 127\.0\.0\.2 has numpy 1\.0 \(here "):
        there = run(
            options(
                tmp_path / "there",
                augmentations=("crashes", "mixup"),
                executor=f"ray:address={two_nodes.address}",
            )
        )
    bad = [cell for cell in there.stored.cells if cell.status == "failed"]
    assert {cell.augmentation for cell in bad} == {"crashes"}
    assert all("ended with code 7 in augmentation 'crashes'" in c.result.error for c in bad)
    assert {cell.result.failure for cell in bad} == {"crashed"}
    assert len(numbers(there)) == 4


def test_no_node_of_the_same_versions_is_an_error_in_one_line(two_nodes, tmp_path, monkeypatch):
    usual = crew.Crew.work

    def work(self):
        self._known["torch"] = "9.9"
        usual(self)

    monkeypatch.setattr(crew.Crew, "work", work)
    with (
        pytest.warns(StoreWarning, match="left out: node"),
        pytest.raises(StudyError, match=r"no node .* has torch .* \(here 9\.9\)") as caught,
    ):
        run(options(tmp_path / "out", executor=f"ray:address={two_nodes.address}"))
    assert "\n" not in str(caught.value)


def test_a_node_that_dies_costs_only_the_cells_in_flight(two_nodes, tmp_path, monkeypatch):
    folder = tmp_path / "held"
    folder.mkdir()
    planned = plan(options(tmp_path / "out", augmentations=(f"holds:folder='{folder}'",), seeds=2))
    given, finished, steps = [], [], []
    next_pack = crew.Crew._next

    def noting(self):
        pack = next_pack(self)
        given.extend(cell.key for cell in pack or ())
        return pack

    monkeypatch.setattr(crew.Crew, "_next", noting)

    def emit(event):
        if isinstance(event, Finished):
            finished.append(event)
        elif isinstance(event, StepsDone):
            steps.append(event.steps)

    def kill_one_while_both_train():
        with suppress(BaseException):  # the assertions below say what did not come about
            while len(holding := {int(p.name.partition("-")[0]) for p in folder.glob("*-*")}) < 2:
                time.sleep(0.02)
            done.extend(finished)
            two_nodes.kill(0)
            while all(Path(f"/proc/{pid}").exists() for pid in holding):
                time.sleep(0.02)
        (folder / "hold").unlink()

    made = executor(address=two_nodes.address)
    assert made.slots == 2
    # Two plain cells, and then one on each node that waits for the other node's end.
    packs = [[cell] for cell in sorted(planned.cells, key=lambda cell: cell.arm.label != "none")]
    (folder / "hold").touch()
    done = []
    killer = threading.Thread(target=kill_one_while_both_train, daemon=True)
    killer.start()
    try:
        made.run(iter(packs), job_of(planned), emit)
    finally:
        killer.join(30)
        two_nodes.start(0)
    local = []
    WorkerProcesses(1).run(packs, job_of(planned), local.append)
    expected = {e.cell.key: e.result.correct for e in local if isinstance(e, Finished)}
    assert {event.cell.key: event.result.correct for event in finished} == expected
    assert len(finished) == len(planned.cells)
    assert sum(steps) >= sum(cell.steps for cell in planned.cells)
    again = [key for key in set(given) if given.count(key) > 1]
    assert len(again) == len(given) - len(planned.cells) == 1
    assert len(done) == 4  # the plain ones
    assert not {event.cell.key for event in done} & set(again)


def test_whatever_leaves_early_ends_the_workers(two_nodes, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    planned = plan(
        options(tmp_path / "out", augmentations=(f"notes:folder='{notes}',seconds=0.05",))
    )
    seen = []

    def emit(event):
        seen.append(event)
        if isinstance(event, StepsDone) and any(notes.iterdir()):
            raise KeyboardInterrupt

    packs = iter([[cell] for cell in reversed(planned.cells)])  # the plain ones come last
    with pytest.raises(KeyboardInterrupt):
        executor(address=two_nodes.address).run(packs, job_of(planned), emit)
    assert isinstance(seen[0], Started)
    assert list(packs)  # they are taken when there is a place for them
    assert pids_in(notes)
    assert gone(pids_in(notes))


def test_the_driver_killed_and_started_again(two_nodes, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    changes = {"augmentations": (f"notes:folder='{notes}',seconds=0.02",), "engine": "reference"}
    words = f"""
from pathlib import Path
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_ray import options, run
run(options(Path({str(tmp_path / "there")!r}), executor="ray:address={two_nodes.address}",
    **{changes!r}))
"""
    driver = subprocess.Popen(
        [sys.executable, "-c", words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        end = time.monotonic() + 120
        while not ((before := _finished(tmp_path / "there")) and any(notes.iterdir())):
            assert driver.poll() is None, driver.stdout.read().decode()
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
        with driver.stdout:
            printed = driver.stdout.read()
    # Ray is quiet, but that its daemons tell every driver of a node which died under another one.
    told = re.compile(rb"[^\n]*\(raylet[^\n]* has been marked dead .*?busy workload\.\n", re.DOTALL)
    assert told.sub(b"", printed) == b"", printed.decode()
    assert pids_in(notes)
    assert gone(pids_in(notes))
    there = run(options(tmp_path / "there", executor=f"ray:address={two_nodes.address}", **changes))
    here = run(options(tmp_path / "here", workers=1, **changes))
    assert numbers(there) == numbers(here)
    assert len(numbers(there)) == 4
    kept = {cell.key: cell.finished_at for cell in there.stored.cells}
    assert before.items() <= kept.items()  # none was trained again


def _finished(folder: Path) -> dict[str, float]:
    if not (folder / "augbench.sqlite").exists():
        return {}
    with suppress(StoreError), Store.read(folder) as store:
        return {c.key: c.finished_at for c in store.study().cells if c.status == "ok"}
    return {}  # nothing is planned yet


def test_a_cluster_that_is_not_there_is_an_error_in_one_line(tmp_path):
    with pytest.raises(UsageError, match=r"no Ray cluster answers at 127\.0\.0\.2:9 \(") as caught:
        run(options(tmp_path, executor="ray:address=127.0.0.2:9"))
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"address": "ray://head:10001"}, "expected address as auto, local or host:port"),
        ({"cpus": 0}, "expected cpus above 0"),
        ({"workers": -1}, "expected workers above 0, got -1"),
        ({"gpus": -1}, "expected gpus above 0"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, reason):
    with pytest.raises(UsageError, match=reason):
        executor(**parameters)


def test_a_worker_that_no_node_holds_is_refused(two_nodes):
    with pytest.raises(UsageError, match=r"no node .* can hold a worker of 64 CPU"):
        _ = executor(address=two_nodes.address, cpus=64).slots


def test_devices_and_gpus_must_agree(tmp_path):
    planned = plan(options(tmp_path))
    with pytest.raises(StudyError, match="write --executor ray:gpus=1"):
        executor()._on_node(Job("packed", "cuda:1", ()))
    with pytest.raises(StudyError, match="add --device cuda"):
        executor(gpus=0.5).run([planned.cells[:1]], job_of(planned), lambda event: None)
    assert executor(gpus=0.5)._on_node(Job("packed", "cuda:1", ())).device == "cuda"


def test_plugins_keep_their_names_and_content_on_the_node(tmp_path):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "node"
    elsewhere.mkdir()
    path = elsewhere / "mine.py"
    path.write_text("x = 1\n")
    sending = packed((str(path), "no:augbench-nowhere", "some.module"))
    assert unpacked(sending, folder) == (str(path), "some.module")  # it has the very file
    path.write_text("x = 2\n")
    written, module = unpacked(sending, folder)
    assert Path(written).name == "mine.py"
    assert Path(written).read_text() == "x = 1\n"
    assert module == "some.module"
