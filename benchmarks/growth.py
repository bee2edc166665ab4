"""Growth of the cost of pretraining with cells in a pack, batch, image size, and the network.

`python benchmarks/growth.py`. CPU milliseconds of pretraining per cell and step, one thread, packed
and one by one, each pair measured in turn in this process; the fastest of a few rounds.
"""

import argparse
import time
from functools import partial

import numpy as np
import torch
from _measure import machine, table
from torch import nn
from torch.nn import functional as F

from augbench.batching.blocks import blocks
from augbench.batching.materials import CellMaterials
from augbench.datasets.contract import Dataset
from augbench.packed.heads import Heads
from augbench.packed.trace import PackedByRules
from augbench.packed.vmap import PackedByVmap
from augbench.plugins.components import Component
from augbench.plugins.registry import Registry
from augbench.protocol.recipe import Recipe
from augbench.protocol.study import Arm, Cell, Settings
from augbench.training.descent import descent

WARMING, STEPS = 24, 24  # steps at least: the first learn which way is faster


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)),
            nn.ReLU(),
            *(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)),
        )

    def forward(self, x):
        return F.relu(x + self.body(x))


def residual_net(width, in_channels, image_size):
    one = Residual
    net = nn.Sequential(
        *(nn.Conv2d(in_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)),
        *(nn.ReLU(), one(width), nn.MaxPool2d(2), one(width), nn.MaxPool2d(2), one(width)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    )
    net.feature_dim = width
    return net


def noise(channels, side):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (640, channels, side, side), dtype=np.uint8)
    labels = np.arange(640) % 10
    return Dataset("noise", images, labels, images[:20], labels[:20], tuple("0123456789"))


def cells_of(dataset, registry, count, batch):
    rules = Settings(batch_size=batch, pretrain_steps=400)
    methods = [
        Arm.of(registry.resolve("augmentation", name), rules)
        for name in ("none", "collage", "mixup")
    ]
    backbone = Component("backbone", "network")
    return [
        Cell(
            *(dataset.info, dataset.info, backbone),
            *(methods[k % 3], 64, k // 21),
        )
        for k in range(count)
    ]


def seconds_per_step(cells, materials, packer):
    """A training of a few steps, batches included; of one network as the reference trains it."""
    modules = [materials.backbone(cell) for cell in cells]
    heads = [materials.head(c, m, finetune=False) for c, m in zip(cells, modules, strict=True)]
    if packer is None:
        model = nn.Sequential(modules[0], heads[0], nn.LogSoftmax(1)).train()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

        def step(x, y):
            optimizer.zero_grad()
            (-(y[0] * model(x.contiguous())).sum(1).mean()).backward()
            optimizer.step()

    else:
        packed, together = packer(modules), Heads(heads)
        packed.train()
        descend = descent(packed, together, [Recipe()] * packed.cells, 400)

        def step(x, y):
            descend(x, y / -y.shape[1])

    done, start = 0, 0.0
    drawn = blocks(cells, materials)
    while True:
        if done >= WARMING and not start:
            start, done = time.process_time(), 0
        if start and done >= STEPS:
            return (time.process_time() - start) / done
        inputs, targets = next(drawn)
        for x, y in zip(inputs, targets, strict=True):
            step(x, y)
        done += len(inputs)


def compare(
    rounds, *, network="convnet", count=11, batch=8, side=28, channels=1, packer=PackedByRules
):
    registry, dataset = Registry.load(), noise(channels, side)
    if network == "convnet":
        factory = registry.create(registry.resolve("backbone", "convnet"))
    else:
        factory = partial(residual_net, int(network.split()[-1]))

    def create(component):
        return factory if component.kind == "backbone" else registry.create(component)

    materials = CellMaterials(create, lambda info: dataset)
    cells = cells_of(dataset, registry, count, batch)
    best = [float("inf"), float("inf")]
    for number in range(rounds + 1):  # the first warms up
        packed = seconds_per_step(cells, materials, packer) / count
        alone = min(
            seconds_per_step([cells[k]], materials, None) for k in (0, 1 % count, 2 % count)
        )
        if number:
            best = [min(best[0], packed), min(best[1], alone)]
    return [f"{1e3 * best[0]:.2f}", f"{1e3 * best[1]:.2f}", f"{best[1] / best[0]:.1f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print(machine(), end="\n\n")
    settings = [
        *({"count": count} for count in (1, 2, 4, 7, 11, 21, 63, 210)),
        *({"batch": 16}, {"batch": 64, "count": 4}, {"batch": 64}),
        *({"side": 16}, {"side": 48, "count": 4}, {"side": 48}, {"channels": 3, "side": 32}),
        *({"network": "residual, 8"}, {"network": "residual, 8", "packer": PackedByVmap}),
        {"network": "residual, 8", "channels": 3, "side": 32},
        *({"network": "residual, 16"}, {"network": "residual, 16", "count": 4}),
    ]
    rows = []
    for one in settings:
        how = {"network": "convnet", "count": 11, "batch": 8, "side": 28, "channels": 1, **one}
        rows.append(
            [
                how["network"] + (" under vmap" if "packer" in one else ""),
                *(how["count"], how["batch"], f"{how['channels']}×{how['side']}×{how['side']}"),
                *compare(rounds, **one),
            ]
        )
    header = [
        "network",
        "cells",
        "batch",
        "images",
        "packed: ms",
        "one by one: ms",
        "times as fast",
    ]
    table(header, rows)


if __name__ == "__main__":
    main()
