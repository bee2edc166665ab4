"""What a base and further budgets cost: the handout's 21 cells, CPU seconds as ratios in one run.

`python benchmarks/arms.py` takes some five minutes on one thread. The rounds of the three ways
follow each other in turn; medians are printed. Pretraining alone is what its metric says.
"""

import argparse
import time
from statistics import median
from types import SimpleNamespace

import torch
from _measure import machine, table

from augbench.api import plan
from augbench.batching.materials import CellMaterials
from augbench.datasets.named import load_dataset
from augbench.training import together
from augbench.training.engine import PackedEngine

WAYS = {
    "as it is": {},
    "crop-flip under every arm": {"base": "crop-flip:flip=false"},
    "three budgets": {"pretrain_steps": [500, 1000, 2000]},
}


def seconds(planned):
    """CPU seconds of all cells, and those of the longest pretrainings alone."""
    components = planned.datasets
    materials = CellMaterials(
        planned.registry.create,
        lambda info: load_dataset(planned.registry, components[info.content_hash], None),
    )
    longest = {cell.key for cell in planned.cells if cell.pretrain_steps == 2000}
    engine, pretraining, start = PackedEngine(), 0.0, time.process_time()
    for result in engine.train(planned.cells, materials, test_every=0, progress=lambda steps: None):
        assert not result.error, result.error
        if result.key in longest:
            pretraining += result.metrics["pretrain_seconds"]
    return time.process_time() - start, pretraining


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    # The seconds of pretraining in CPU time as well: other work on the machine does not count.
    together.time = SimpleNamespace(perf_counter=time.process_time)
    print(machine(), end="\n\n")
    plans = {way: plan(["collage", "mixup"], seeds=1, **how) for way, how in WAYS.items()}
    took = {way: [] for way in plans}
    for _ in range(options.rounds):
        for way, planned in plans.items():
            took[way].append(seconds(planned))
    whole, alone = (median(pair[k] for pair in took["as it is"]) for k in (0, 1))
    rows = []
    for way, pairs in took.items():
        of_all, of_longest = (median(pair[k] for pair in pairs) for k in (0, 1))
        rows.append([way, f"{of_all:.1f}", f"{of_all / whole:.2f}", f"{of_longest / alone:.2f}"])
    table(["21 cells, one seed", "CPU s", "ratio", "ratio of pretraining"], rows)


if __name__ == "__main__":
    main()
