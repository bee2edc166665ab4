"""The handout's sweep (21 cells × 1 seed), whole, against the plain loop: ratios of one run.

`python benchmarks/sweep.py` takes a few minutes: the plain loop and the reference are measured on
`--plain-cells` of the 21 cells (their time does not depend on which) and scaled, `--whole`
measures all. The contestants take turns, so that whatever else the machine does slows them alike.
"""

import argparse
import gc
import statistics
import tempfile
import time

from _measure import HERE, PYTHON, machine, run_watched, sgemm_peak, table

RUN = """
import sys, tempfile
from pathlib import Path
from augbench.api import Options, execute, plan
engine, sizes, seeds = sys.argv[1], tuple(map(int, sys.argv[2].split(","))), int(sys.argv[3])
with tempfile.TemporaryDirectory() as folder:
    options = Options(augmentations=("none", "collage", "mixup"), samples_per_class=sizes,
                      seeds=seeds, engine=engine, workers=2, out=Path(folder) / "out")
    result = execute(plan(options))
    assert not result.failed, result.failed
"""
SWEEP = "1,2,4,8,16,32,64"

# GFLOP of one cell: an image costs 0.64 MFLOP forwards (230,400 and 409,600 in the two
# convolutions), and 1.69 in training, since the first convolution's input needs no gradient.
WORK = {
    "pretraining": 2000 * 8 * (3 * 409_600 + 2 * 230_400 + 3 * 5_120) / 1e9,
    "finetuning images through backbones": 26 * 272 * 640e3 / 1e9,
    "finetuning heads": 2000 * 8 * 2 * 2 * 256 * 26 / 1e9,
    "test images through backbones and heads": (5200 + 2000) * (640e3 + 2 * 256 * 26) / 1e9,
}
GFLOP = 21 * sum(WORK.values())


def augbench(engine, sizes, seeds=1):
    """From the start of the process to its end: seconds, CPU seconds, peak memory in MB."""
    return run_watched([PYTHON, "-c", RUN, engine, sizes, str(seeds)])[:3]


def plain(cells, threads, steps=2000):
    """Seconds and CPU seconds of the plain loop: start-up, and the cells scaled to all 21."""
    command = [PYTHON, HERE / "plain_loop.py", str(cells), str(steps), str(threads)]
    seconds, cpu, _, output = run_watched(command)
    trained, of_it, warming = map(float, output.split())
    rest = seconds - trained - warming, max(0.0, cpu - of_it - warming)
    return rest[0] + trained * 21 / cells, rest[1] + of_it * 21 / cells


def phases():
    """The share of each phase in a worker's time: a pack of 11 cells, in this process."""
    import torch

    from augbench.api import Options, plan
    from augbench.batching.materials import CellMaterials
    from augbench.training import together as training
    from augbench.training.engine import PackedEngine

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    with tempfile.TemporaryDirectory() as folder:
        planned = plan(Options(augmentations=("none", "collage", "mixup"), seeds=1, out=folder))
    registry = planned.registry
    materials = CellMaterials(
        registry.create,
        lambda info: registry.create(planned.datasets[info.content_hash])(None),
    )
    spent = {}

    def timed(name, label):
        function = getattr(training, name)

        def wrapper(*args, **kwargs):
            start = time.perf_counter()
            result = function(*args, **kwargs)
            spent[label] = spent.get(label, 0) + time.perf_counter() - start
            return result

        setattr(training, name, wrapper)

    timed("_pretrain", "pretraining")
    timed("finetune_heads", "finetuning heads")
    timed("outputs_of", "test images through backbones and heads")
    timed("measure", "metrics and temperature")
    original = training.features_of
    training.features_of = lambda *args: iter(collected(original, args))

    def collected(function, args):
        start = time.perf_counter()
        result = list(function(*args))
        spent["finetuning images through backbones"] = time.perf_counter() - start
        return result

    gc.freeze()  # as a worker does
    peak, start = sgemm_peak(), time.perf_counter()
    list(
        PackedEngine().train(
            planned.cells[:11], materials, test_every=0, progress=lambda steps: None
        )
    )
    spent["all, with data and probe"] = time.perf_counter() - start
    return spent, max(peak, sgemm_peak())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plain-cells", type=int, default=3)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cells = 21 if options.whole else options.plain_cells
    print(machine())
    threads = min((1, 2), key=lambda count: plain(1, count, 300)[0])
    rounds = []
    for number in range(options.rounds):
        one = {
            "plain": plain(cells, threads),
            "packed": augbench("packed", SWEEP),
            "peak": sgemm_peak(),
        }
        if number == 0:
            some = ",".join(SWEEP.split(",")[: max(1, cells // 3)])
            times = 7 / len(some.split(","))
            one["reference"] = [value * times for value in augbench("reference", some)[:2]]
        rounds.append(one)
        print(one, flush=True)

    def ratio(name, of):
        values = [one["plain"][of] / one[name][of] for one in rounds if name in one]
        return f"{statistics.median(values):.1f} ({min(values):.1f} … {max(values):.1f})"

    def seconds(name, of):
        return f"{statistics.median(one[name][of] for one in rounds if name in one):.0f}"

    packed = statistics.median(one["packed"][0] for one in rounds)
    peak = 2 * statistics.median(one["peak"] for one in rounds)
    print(f"plain loop: {threads} thread(s), {cells} of 21 cells measured\n")
    table(
        ["", "seconds", "times as fast", "CPU seconds", "times as little", "peak memory (PSS)"],
        [
            ["plain loop", seconds("plain", 0), 1, seconds("plain", 1), 1, ""],
            *(
                [
                    f"{name} engine, 2 workers",
                    seconds(name, 0),
                    ratio(name, 0),
                    seconds(name, 1),
                    ratio(name, 1),
                    memory,
                ]
                for name, memory in (
                    ("reference", ""),
                    ("packed", f"{max(one['packed'][2] for one in rounds):.0f} MB"),
                )
            ),
        ],
    )
    print(f"\n{GFLOP:.0f} GFLOP; sgemm peak of two cores {peak:.0f} GFLOP/s;", end=" ")
    print(f"share of the peak, start-up included: {GFLOP / packed / peak:.0%}\n")
    spent, peak = phases()
    table(
        ["phase of a pack of 11 cells, one thread", "seconds", f"share of {peak:.0f} GFLOP/s"],
        [
            [name, f"{took:.2f}", f"{11 * WORK[name] / took / peak:.0%}" if name in WORK else ""]
            for name, took in spent.items()
        ],
    )


if __name__ == "__main__":
    main()
