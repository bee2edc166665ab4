"""Plan, deal and store a study of 100,000 cells without training it: what scheduling costs.

    python benchmarks/scheduling.py [--cells 100000] [--plan-alone] [--profile]

One cell is trained, and its result stands for all. Printed are the seconds for a dry run, for the
plan, for its way into the store and for dealing packs; cells a second into the store; and the peak
of the memory of the process that does all this. `--profile` adds where the time goes.
"""

import argparse
import cProfile
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from augbench import Options, hookimpl
from augbench.api import plan
from augbench.executors.contract import Finished, Job, Started, StepsDone
from augbench.executors.processes import WorkerProcesses
from augbench.running.computing import compute
from augbench.running.dealing import Dealer
from augbench.running.observer import Observer
from augbench.store import Store

SIZES = tuple(range(1, 21))
ARMS = "mixup:alpha=" + "/".join(f"0.{number:02d}" for number in range(10, 34))


class Pretend:
    """An executor that trains its first cell, and gives every other the same result."""

    def __init__(self, workers: int = 64) -> None:
        self.slots = workers

    def where(self, packs):
        return "nowhere"

    def run(self, packs, job, emit):
        result = None
        for pack in packs:
            if result is None:
                result = trained(pack[0], job)
                emit(Started("cpu"))
            keys = tuple(cell.key for cell in pack)
            for cell in pack:
                emit(StepsDone(cell.steps))
                emit(Finished(cell, replace(result, key=cell.key), keys))


def trained(cell, job: Job):
    events = []
    WorkerProcesses(1).run([[cell]], job, events.append)
    (finished,) = (event for event in events if isinstance(event, Finished))
    return finished.result


@hookimpl
def register_executors(register):
    register("pretend", Pretend)


@contextmanager
def timed(what, profile):
    profiler = cProfile.Profile() if profile else None
    start, used = time.perf_counter(), time.process_time()
    if profiler:
        profiler.enable()
    yield
    if profiler:
        profiler.disable()
    seconds, used = time.perf_counter() - start, time.process_time() - used
    print(f"{what:<44} {seconds:8.1f} s {used:8.1f} s CPU {peak():6.0f} MB", flush=True)
    if profiler:
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(25)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--plan-alone", action="store_true", help="pretend no training")
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    seeds = max(1, given.cells // (25 * len(SIZES)))  # the baseline is an arm, too
    sizes = ",".join(map(str, SIZES))
    with tempfile.TemporaryDirectory() as folder:
        study = ["--aug", ARMS, "--samples-per-class", sizes, "--seeds", str(seeds)]
        start = time.perf_counter()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "augbench", "run", *study, "--dry-run", "--out", folder],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        seconds = time.perf_counter() - start
        print(f"{'augbench run --dry-run':<44} {seconds:8.1f} s {used:8.1f} s CPU", flush=True)
        options = Options(
            augmentations=(ARMS,),
            samples_per_class=SIZES,
            seeds=seeds,
            out=Path(folder) / "out",
            plugins=(__file__,),
            executor="pretend",
        )
        with timed("plan", given.profile):
            planned = plan(options)
            count = len(planned.cells)
        with (
            timed(f"{count} cells of the plan into the store", given.profile),
            Store.open(options.out) as store,
        ):
            store.plan(planned.study, planned.cells, "")
        with timed("deal packs for 64 workers", given.profile):
            packs = Dealer(planned.cells, engine="packed", workers=64, device_kind="cpu").packs(
                planned.cells
            )
        print(f"{len(packs)} packs")
        if given.plan_alone:
            return
        start = time.process_time()
        with timed("the whole run, without training", given.profile):
            compute(planned, Observer())
        used = time.process_time() - start
        print(f"{count / used:.0f} cells into the store for each second of the processor")
        size = sum(path.stat().st_size for path in options.out.glob("augbench.sqlite*"))
        print(f"{size / 2**20:.0f} MB of store")


if __name__ == "__main__":
    main()
