"""How a run ends that is killed, or told to stop: no worker is left, no traceback is shown."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from augbench.store import Store

SUPPORT = Path(__file__).parents[1] / "support"
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def start(tmp_path, *arguments):
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "augbench", "run", "--plugin", str(SUPPORT / "tiny.py")),
            *("--plugin", str(SUPPORT / "lasting.py"), "--pre-train-dataset", "tiny-a"),
            *("--finetune-dataset", "tiny-b", "--samples-per-class", "4", "--seeds", "1"),
            *("--n-batches-pre-train", "8", "--n-batches-finetune", "8", "--workers", "2"),
            *("--finetune-samples-per-class", "5", "--engine", "reference"),
            *("--out", str(tmp_path / "out"), *arguments),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LASTING": str(tmp_path / "started")},
        preexec_fn=listen,
    )


def listen():
    """Undo what `nohup`, or a shell that starts something in the background, has ignored."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


def children(process):
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


@linux
@pytest.mark.parametrize("deed", ["sleeps", "holds-the-lock"])
def test_workers_end_within_a_second_of_their_parent(tmp_path, deed):
    process = start(tmp_path, "--aug", deed)
    wait_for((tmp_path / "started").exists)
    workers = children(process)
    assert workers
    process.kill()
    process.communicate()
    wait_for(lambda: not any(map(lives, workers)), seconds=1.0)


@linux
def test_a_signal_ends_a_run_in_order_whatever_its_workers_do(tmp_path):
    # The later runs go on where the first was stopped; it alone has processes ready to draw.
    for name, stored, options in (
        ("SIGINT", 1, []),
        ("SIGTERM", 0, ["--no-figures"]),
        ("SIGHUP", 0, ["--no-figures"]),
    ):
        (tmp_path / "started").unlink(missing_ok=True)
        process = start(tmp_path, "--aug", "ignores-signals", *options)
        wait_for((tmp_path / "started").exists)
        with_cell = time.monotonic() + 20  # the baseline's cell is trained beside it
        while time.monotonic() < with_cell:
            with Store.read(tmp_path / "out") as store:
                if any(cell.status == "ok" for cell in store.study().cells):
                    break
            time.sleep(0.05)
        workers = children(process)
        number = getattr(signal, name)
        process.send_signal(number)
        process.send_signal(number)
        try:
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
        assert process.returncode == 128 + number
        assert "Traceback" not in errors
        assert f"{stored} new cells are stored; the same command goes on from there" in errors
        assert f"stopped by {name}" in errors
        assert not any(map(lives, workers))
        with Store.read(tmp_path / "out") as store:
            assert [cell.status for cell in store.study().cells] == ["ok", "missing"]
            assert store.claims() == []


LOOK = """
import sys
from augbench.cli import main
try:
    main(sys.argv[1:])
finally:
    print("\\nloaded:", sorted({"torch", "torchvision"} & {*sys.modules}))
"""


def test_the_process_that_is_started_loads_no_torch(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-c", LOOK, "run", "--plugin", str(SUPPORT / "tiny.py"), "--aug"),
            *("mixup", "--pre-train-dataset", "tiny-a", "--finetune-dataset", "tiny-b", "--seeds"),
            *("1", "--samples-per-class", "4", "--n-batches-pre-train", "8", "--workers", "1"),
            *("--n-batches-finetune", "8", "--finetune-samples-per-class", "5", "--engine"),
            *("reference", "--plot-augmentations", "--out", str(tmp_path / "out")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "drew" in done.stdout  # pictures of augmentations included
    assert done.stdout.splitlines()[-1] == "loaded: []"
