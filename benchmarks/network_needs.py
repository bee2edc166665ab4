"""Whole cells of augmentations that need the network: packed, and pretrained one by one.

`python benchmarks/network_needs.py` takes some ten minutes on one thread. Cells are trained by the
protocol with the default settings on the embedded data sets: `--cells` of them packed, verifying
included, and two as where no packing serves, one before and one after. That is not the reference
engine: its features are kept for finetuning, as the packed ones' are. CPU seconds a cell; those
of the augmentation's own calls, which packing cannot shorten, are told too. The distribution in
`plugins/augbench-mixes` need not be installed.
"""

import argparse
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from _measure import machine, table

sys.path.insert(0, str(Path(__file__).parents[1] / "plugins" / "augbench-mixes"))

from augbench_mixes.manifold_mixup import ManifoldMixup
from augbench_mixes.puzzlemix import PuzzleMix

from augbench.augmentations.mixup import Mixup
from augbench.batching.materials import CellMaterials
from augbench.plugins.components import Component
from augbench.plugins.registry import Registry
from augbench.protocol.study import Arm, Cell, Settings
from augbench.training.engine import PackedEngine
from augbench.training.together import train_together

METHODS = {"mixup": Mixup, "manifold-mixup": ManifoldMixup, "puzzlemix": PuzzleMix}


class Timed:
    """An augmentation whose calls are timed, all instances together."""

    spent = 0.0

    def __init__(self, made):
        self._made = made
        for name in ("sources", "needs", "choose_layer"):
            if hasattr(made, name):
                setattr(self, name, getattr(made, name))

    def __call__(self, *sources, **how):
        start = time.process_time()
        made = self._made(*sources, **how)
        Timed.spent += time.process_time() - start
        return made


def one_by_one(cells, materials):
    for cell in cells:
        yield from train_together([[cell]], None, materials, 0, lambda steps: None)


def measured(train, cells, materials):
    """CPU seconds of a cell, and those of them that its augmentation took."""
    start, Timed.spent = time.process_time(), 0.0
    for result in train(cells, materials):
        assert not result.error, result.error
    return (time.process_time() - start) / len(cells), Timed.spent / len(cells)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=11)
    parser.add_argument("--steps", type=int, default=Settings().pretrain_steps)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print(machine(), end="\n\n")
    registry = Registry.load()
    digits, letters = (
        registry.create(registry.resolve("dataset", name))(None)
        for name in ("glyph-digits", "glyph-letters")
    )
    loaded = {one.content_hash: one for one in (digits, letters)}
    backbone = registry.resolve("backbone", "convnet")

    def create(component):
        if component.name in METHODS:
            return Timed(METHODS[component.name]())
        return registry.create(component)

    rules = replace(Settings(), pretrain_steps=options.steps)
    rows = []
    for name in options.methods:
        arm = Arm.of(Component("augmentation", name), rules)
        cells = [
            Cell(digits.info, letters.info, backbone, arm, 2 ** (1 + k % 6), k // 6)
            for k in range(options.cells)
        ]
        materials = CellMaterials(create, lambda info: loaded[info.content_hash])
        engine = PackedEngine()
        together = partial(engine.train, test_every=0, progress=lambda steps: None)
        first, _ = measured(one_by_one, cells[:1], materials)
        packed, own = measured(together, cells, materials)
        last, _ = measured(one_by_one, cells[-1:], materials)
        alone = (first + last) / 2
        rows.append(
            [
                *(name, options.cells, f"{packed:.2f}", f"{own:.2f}", f"{alone:.2f}"),
                *(f"{alone / packed:.1f}", engine.choice),
            ]
        )
    header = ["augmentation", "cells", "packed: s a cell", "of these in its calls"]
    table([*header, "one by one: s a cell", "times as fast", "how"], rows)


if __name__ == "__main__":
    main()
