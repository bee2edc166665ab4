"""Whole cells of residual networks with batch normalisation: packed against one by one.

`python benchmarks/residual.py` takes some five minutes: both engines train by the protocol, on the
embedded data sets and one thread, `--cells` packed and one alone; CPU seconds a cell, or with
`--device cuda` seconds. `--networks` names residual nets of so many channels, or installed
backbones: `residual-8 cifar-resnet:depth=8`; `--data` another data set, such as
`folder:PATH,size=32,channels=3`; `--recipe` another recipe; `--plugin` files or modules that have
them. A network's row is printed when it is measured. The last columns are the operations of
pretraining (of convolutions and products, forward and backward) a second, and their share of what
one large product of matrices reaches on the same device.
"""

import argparse
import time
from functools import partial

import torch
from _measure import machine, sgemm_peak, table
from growth import residual_net
from torch.utils.flop_counter import FlopCounterMode

from augbench.batching.materials import CellMaterials
from augbench.options import RECIPES, Options
from augbench.plugins.components import Component
from augbench.plugins.registry import Registry
from augbench.protocol.study import Arm, Cell
from augbench.training.engine import PackedEngine
from augbench.training.reference import ReferenceEngine


def seconds(engine, cells, materials):
    clock = time.process_time if materials.device.type == "cpu" else time.perf_counter
    start = clock()
    for result in engine.train(cells, materials, test_every=0, progress=lambda steps: None):
        assert not result.error, result.error
    return (clock() - start) / len(cells)


def product_rate(device):
    """Operations a second of a float32 product of large matrices."""
    if device.type == "cpu":
        return 1e9 * sgemm_peak()
    size, best = 8192, 0.0
    one, other = (torch.rand(size, size, device=device) for _ in range(2))
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        one @ other
        torch.cuda.synchronize()
        best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best


def operations(cell, materials):
    """The operations of a cell's pretraining."""
    backbone = materials.backbone(cell)
    images = torch.rand(cell.settings.batch_size, *cell.pretrain.image_shape)
    with FlopCounterMode(display=False) as counter:
        backbone(images.to(materials.device)).sum().backward()
    return counter.get_total_flops() * cell.settings.pretrain_steps


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
    parser.add_argument("--data", help="a data set for both sides")
    parser.add_argument("--plugin", action="append", default=[], help="a file or a module")
    parser.add_argument("--recipe", default="handout", choices=list(RECIPES))
    parser.add_argument("--sizes", nargs="+", type=int, default=[2**k for k in range(7)])
    parser.add_argument("--finetune", type=int, default=256, help="images of each class")
    options = parser.parse_args()
    torch.backends.cudnn.allow_tf32 = False  # as a worker does
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print(machine(), end="\n\n")
    registry = Registry.load(options.plugin)
    names = [options.data] * 2 if options.data else ["glyph-digits", "glyph-letters"]
    digits, letters = (registry.create(registry.resolve("dataset", name))(None) for name in names)
    loaded = {one.content_hash: one for one in (digits, letters)}
    names = ("none", "collage", "mixup")
    rules = Options(recipe=options.recipe, finetune_samples_per_class=options.finetune).settings
    methods = [Arm.of(registry.resolve("augmentation", name), rules) for name in names]
    peak = product_rate(options.device)
    head = ["network", "cells", "packed: s a cell", "one by one: s a cell", "times as fast"]
    rows = (
        row(network, registry, methods, digits, letters, loaded, peak, options)
        for network in options.networks
    )
    table([*head, "packed: Gop/s", f"of {peak / 1e9:.0f}"], rows)


def row(network, registry, methods, digits, letters, loaded, peak, options):
    """Measure one network; its layers and cells are gone before the next one is made."""
    backbone, factory = backbone_of(network, registry)
    sizes = options.sizes
    cells = [
        Cell(
            digits.info,
            letters.info,
            backbone,
            methods[k % 3],
            sizes[k // 3 % len(sizes)],
            k // 21,
        )
        for k in range(options.cells)
    ]

    def create(component):
        return factory if component.kind == "backbone" else registry.create(component)

    materials = CellMaterials(create, lambda info: loaded[info.content_hash], options.device)
    alone = seconds(ReferenceEngine(), cells[:1], materials)
    packed = seconds(PackedEngine(), cells, materials)
    rate = operations(cells[0], materials) / packed
    return [
        *(network, options.cells, f"{packed:.2f}", f"{alone:.2f}", f"{alone / packed:.1f}"),
        *(f"{rate / 1e9:.0f}", f"{rate / peak:.1%}"),
    ]


if __name__ == "__main__":
    main()
