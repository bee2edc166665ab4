"""Whole cells by readout: what judging a pretrained backbone costs, packed and one by one.

`python benchmarks/readouts.py` takes some ten minutes: cells of one seed of the handout's study,
`--cells` of them packed, on one thread. Readouts take turns, `--rounds` times; a ratio is the
median over rounds of CPU seconds in the same round, since other programs may use the machine. Packs
are chosen and verified before the first round. The last table is of full finetuning, against
one cell by the reference. With `--device cuda` seconds are those of the clock.
"""

import argparse
import time
from dataclasses import replace
from statistics import median

import torch
from _measure import machine, table

from augbench.batching.materials import CellMaterials
from augbench.options import Options
from augbench.plugins.registry import Registry
from augbench.protocol.study import Arm, Cell
from augbench.training.engine import PackedEngine
from augbench.training.reference import ReferenceEngine

ARMS, SIZES = ("none", "collage", "mixup"), [2**k for k in range(7)]


class Bench:
    """Trains cells by engine and readouts, and remembers CPU seconds by round."""

    def __init__(self, options):
        self.options, self.registry = options, Registry.load()
        names = ("glyph-digits", "glyph-letters")
        self.data = [self.registry.create(self.registry.resolve("dataset", n))(None) for n in names]
        loaded = {one.content_hash: one for one in self.data}
        self.materials = CellMaterials(
            self.registry.create, lambda info: loaded[info.content_hash], options.device
        )
        self.clock = time.process_time if options.device.type == "cpu" else time.perf_counter
        self.engines = {"packed": PackedEngine(), "reference": ReferenceEngine()}
        self.rules = Options(
            pretrain_steps=options.steps,
            finetune_steps=options.steps,
            full_steps=options.steps,
            finetune_samples_per_class=options.finetune,
        ).settings

    def cells(self, readouts, *, same=False, count=None):
        source, target = self.data[0], self.data[0 if same else 1]
        backbone = self.registry.resolve("backbone", "convnet")
        arms = [Arm.of(self.registry.resolve("augmentation", n), self.rules) for n in ARMS]
        places = [(arm, size) for size in reversed(SIZES) for arm in arms]
        ones = [
            Cell(source.info, target.info, backbone, arm, size, 0)
            for arm, size in places[: count or self.options.cells]
        ]
        return [replace(one, readout=readout) for one in ones for readout in readouts]

    def seconds(self, engine, cells):
        start = self.clock()
        for result in self.engines[engine].train(
            cells, self.materials, test_every=0, progress=lambda steps: None
        ):
            assert not result.error, result.error
        return self.clock() - start

    def rounds(self, cases):
        """Seconds of each case, round by round."""
        took = {name: [] for name in cases}
        for engine, cells in cases.values():
            if engine == "packed":  # choose and verify its packing
                self.seconds(engine, cells)
        for number in range(self.options.rounds):
            order = list(cases.items())
            for name, case in order if number % 2 == 0 else reversed(order):
                took[name].append(self.seconds(*case))
        return took


def ratios(took, name, base):
    each = [a / b for a, b in zip(took[name], took[base], strict=True)]
    return f"{median(each):.2f} ({min(each):.2f} to {max(each):.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=11)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--finetune", type=int, default=256, help="images of each class")
    parser.add_argument("--part", nargs="+", default=["frozen", "full"])
    parser.add_argument("--device", default="cpu", type=torch.device)
    options = parser.parse_args()
    torch.backends.cudnn.allow_tf32 = False  # as a worker does
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print(machine(), end="\n\n")
    bench = Bench(options)
    if "frozen" in options.part:
        print_frozen(bench)
    if "full" in options.part:
        print_full(bench)


def print_frozen(bench):
    """Readouts of frozen backbones, as multiples of the linear probe of the same data."""
    cases = {
        ("digits → letters", "linear"): ("packed", bench.cells(["linear"])),
        ("digits → letters", "knn"): ("packed", bench.cells(["knn"])),
        ("digits → letters", "linear, knn"): ("packed", bench.cells(["linear", "knn"])),
        ("digits", "linear"): ("packed", bench.cells(["linear"], same=True)),
        ("digits", "linear, own-head, knn"): (
            "packed",
            bench.cells(["linear", "own-head", "knn"], same=True),
        ),
    }
    took, count = bench.rounds(cases), bench.options.cells
    rows = [
        [*name, f"{median(took[name]) / count:.2f}", ratios(took, name, (name[0], "linear"))]
        for name in cases
    ]
    table(["data", "readouts", "s of a pretraining with them", "of linear alone"], rows)
    print()


def print_full(bench):
    """Full finetuning, packed and by the reference; its share is what is beyond `own-head`."""
    cases = {
        (engine, readout): (engine, bench.cells([readout], same=True, count=count))
        for engine, count in (("packed", None), ("reference", 1))
        for readout in ("full", "own-head")
    }
    took = bench.rounds(cases)
    counts = {"packed": bench.options.cells, "reference": 1}
    alone = {
        (engine, what): [
            (a - (b if what == "finetuning" else 0)) / count
            for a, b in zip(took[engine, "full"], took[engine, "own-head"], strict=True)
        ]
        for engine, count in counts.items()
        for what in ("whole cell", "finetuning")
    }
    rows = [
        [
            f"{what}",
            f"{median(alone['packed', what]):.2f}",
            f"{median(alone['reference', what]):.2f}",
            ratios(
                {"one": alone["reference", what], "other": alone["packed", what]}, "one", "other"
            ),
        ]
        for what in ("whole cell", "finetuning")
    ]
    table(["full finetuning on digits", "packed: s", "one by one: s", "times as fast"], rows)


if __name__ == "__main__":
    main()
