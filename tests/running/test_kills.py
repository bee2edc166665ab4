"""A study that is killed at random, over and over, ends as one that was left alone.

Minutes long. `AUGBENCH_KILLS=20 pytest -m slow -n 0 -s tests/running/test_kills.py` tries fewer and
prints what it found.
"""

import itertools
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from augbench.store import Store

TINY = Path(__file__).parents[1] / "support" / "tiny.py"
KILLS = int(os.environ.get("AUGBENCH_KILLS", "100"))
TARGETS = ("parent", "worker", "group")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
]


def command(out):
    return [
        *(sys.executable, "-m", "augbench", "run", "--plugin", str(TINY), "--out", str(out)),
        *("--pre-train-dataset", "tiny-a", "--finetune-dataset", "tiny-b", "--aug", "mixup"),
        *("--samples-per-class", "1,2,4,8", "--seeds", "4", "--n-batches-pre-train", "60"),
        *("--n-batches-finetune", "60", "--finetune-samples-per-class", "5", "--workers", "2"),
        *("--engine", "reference", "--batch-size", "4"),
    ]


def outcome(out):
    with Store.read(out) as store:
        cells = store.study().cells
    return {
        cell.key: (cell.status, cell.result and (cell.result.metrics["nll"], cell.result.correct))
        for cell in cells
    }


def children(pid):
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def kill(process, target):
    """Kill the parent, one of its workers, or all of them; returns whether any was there."""
    workers = children(process.pid)
    if target == "worker":
        victims = random.sample(workers, min(1, len(workers)))
    else:
        victims = [process.pid, *(workers if target == "group" else ())]
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
    return bool(victims)


def finished(text):
    """The places of the cells that a run said it had finished."""
    return re.findall(r"^\[\d+/\d+\] (.*?): accuracy", text, re.MULTILINE)


def test_nothing_is_lost_and_nothing_done_twice(tmp_path):
    start = time.monotonic()
    subprocess.run(command(tmp_path / "whole"), check=True, capture_output=True)
    lasts = time.monotonic() - start
    whole = outcome(tmp_path / "whole")
    assert {status for status, _ in whole.values()} == {"ok"}
    kills, lost, doubled, studies = Counter(), 0, 0, 0
    for number in itertools.count():
        if kills.total() >= KILLS:
            break
        out, done = tmp_path / f"study-{number}", Counter()
        while True:
            process = subprocess.Popen(
                command(out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            target = random.choice(TARGETS)
            if kills.total() < KILLS:
                time.sleep(random.uniform(0, lasts))
                kills[target] += kill(process, target)
            printed, errors = process.communicate(timeout=120)
            assert "Traceback" not in errors
            done.update(finished(printed))
            stored = outcome(out) if (out / "augbench.sqlite").exists() else {}
            ok = sum(status == "ok" for status, _ in stored.values())
            lost += max(0, len(done) - ok)
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL, errors
        doubled += sum(times - 1 for times in done.values())
        assert stored == whole
        studies += 1
    print(f"kills {dict(kills)}, studies {studies}, lost {lost}, doubled {doubled}")
    assert (lost, doubled) == (0, 0)
