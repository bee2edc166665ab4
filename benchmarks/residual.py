"""Whole cells of residual networks with batch normalisation: packed against one by one.

`python benchmarks/residual.py` takes some five minutes: both engines train by the protocol, on the
embedded data sets and one thread, `--cells` packed and one alone; CPU seconds a cell, or with
`--device cuda` seconds. `--networks` names residual nets of so many channels, or installed
backbones: `residual-8 cifar-resnet:depth=8`.
"""

import argparse
import time
from functools import partial

import torch
from _measure import machine, table
from growth import residual_net

from augbench.plugins.components import Component
from augbench.plugins.registry import Registry
from augbench.protocol.study import Arm, Cell
from augbench.training.engine import PackedEngine
from augbench.training.materials import CellMaterials
from augbench.training.reference import ReferenceEngine


def seconds(engine, cells, materials):
    clock = time.process_time if materials.device.type == "cpu" else time.perf_counter
    start = clock()
    for result in engine.train(cells, materials, test_every=0, progress=lambda steps: None):
        assert not result.error, result.error
    return (clock() - start) / len(cells)


def backbone_of(network, registry):
    if network.startswith("residual-"):
        width = int(network.removeprefix("residual-"))
        return Component("backbone", network), partial(residual_net, width)
    component = registry.resolve("backbone", network)
    return component, registry.create(component)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=9)
    parser.add_argument("--networks", nargs="+", default=["residual-8", "residual-16"])
    parser.add_argument("--device", default="cpu", type=torch.device)
    options = parser.parse_args()
    torch.backends.cudnn.allow_tf32 = False  # as a worker does
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print(machine(), end="\n\n")
    registry = Registry.load()
    digits, letters = (
        registry.create(registry.resolve("dataset", name))(None)
        for name in ("glyph-digits", "glyph-letters")
    )
    loaded = {one.content_hash: one for one in (digits, letters)}
    names = ("none", "collage", "mixup")
    methods = [Arm.of(registry.resolve("augmentation", name)) for name in names]
    rows = []
    for network in options.networks:
        backbone, factory = backbone_of(network, registry)
        cells = [
            Cell(digits.info, letters.info, backbone, methods[k % 3], 2 ** (k // 3), 0)
            for k in range(options.cells)
        ]

        def create(component, factory=factory):
            return factory if component.kind == "backbone" else registry.create(component)

        materials = CellMaterials(create, lambda info: loaded[info.content_hash], options.device)
        alone = seconds(ReferenceEngine(), cells[:1], materials)
        packed = seconds(PackedEngine(), cells, materials)
        rows.append(
            [network, options.cells, f"{packed:.1f}", f"{alone:.1f}", f"{alone / packed:.1f}"]
        )
    table(["network", "cells", "packed: s a cell", "one by one: s a cell", "times as fast"], rows)


if __name__ == "__main__":
    main()
