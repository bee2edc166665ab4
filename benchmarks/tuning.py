"""Tune the default study and compare its cost with the study alone: what a fair comparison costs.

    python benchmarks/tuning.py [--trials 16] [--tune lr,weight_decay,own] [--steps 2000]

Both are run as a user runs them, each in an empty folder, the study alone before and after the
tuned one. Printed are the cells, the wall-clock seconds and the CPU seconds of all processes, and
the ratio of the tuned study to the mean of the others: with 16 trials in 2 seeds, and 8 seeds of
results, the tuned study has six times the cells.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from _measure import run_watched

from augbench.store import Store


def run(out: Path, steps: int, *more: str) -> tuple[int, float, float]:
    """The number of different cells, seconds and CPU seconds of a run into an empty folder."""
    command = [sys.executable, "-m", "augbench", "run", "--out", str(out), *more]
    for flag in ("--n-batches-pre-train", "--n-batches-finetune"):
        command += [flag, str(steps)]
    seconds, spent, _, _ = run_watched(command)
    with Store.read(out) as store:
        cells = len({cell.key for cell in store.study().cells})
    return cells, seconds, spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--tune", default="lr,weight_decay,own")
    parser.add_argument("--steps", type=int, default=2000, help="of pretraining and of finetuning")
    options = parser.parse_args()
    tuning = ("--tune", options.tune, "--trials", str(options.trials))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, more in (("alone", ()), ("tuned", tuning), ("alone", ())):
            measured = run(Path(folder) / str(len(rows)), options.steps, *more)
            rows.append((name, *measured))
            print("{}: {} cells, {:.0f} s, {:.0f} CPU s".format(*rows[-1]), flush=True)
    for what, column in (("cells", 1), ("seconds", 2), ("CPU seconds", 3)):
        alone = [row[column] for row in rows if row[0] == "alone"]
        (tuned,) = [row[column] for row in rows if row[0] == "tuned"]
        print(f"{what}: {tuned / (sum(alone) / len(alone)):.2f} times")


if __name__ == "__main__":
    main()
