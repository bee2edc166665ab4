"""Differences between packed and one-by-one results of the same cells: the handout's 21 cells.

Beside it, the difference of the reference from itself when its initial weights are nudged by one
part in ten million, less than float32 resolves in a sum: packing is not to blame for as much.
`python benchmarks/agreement.py --steps 2000` takes all through the whole protocol, in ten minutes;
`--recipe standard`, or `--recipe adamw`, by another recipe than the handout's.
`--readout linear,own-head,knn,full` asks other readouts, each with lines of its own, and takes D_P
for D_F where the pretraining head is one of them; `--finetune-mode train` leaves dropout on.
"""

import argparse
import statistics

import torch
from _measure import machine, table

from augbench.api import plan
from augbench.batching.materials import CellMaterials
from augbench.protocol.metrics import metric
from augbench.training.engine import PackedEngine
from augbench.training.reference import ReferenceEngine

RECIPES = {
    "handout": {},
    "standard": {"recipe": "standard"},
    "adamw": {"optimizer": "adamw", "learning_rate": 1e-3, "weight_decay": 0.05, "warmup": 0.1},
}
SUMMARIES = (statistics.median, max)


class Nudged(CellMaterials):
    """Makes backbones that differ from the others' in the last place."""

    def backbone(self, cell, *given):
        module = super().backbone(cell, *given)
        generator = torch.Generator().manual_seed(cell.seed)
        with torch.no_grad():
            for value in module.parameters():
                signs = torch.randn(value.shape, generator=generator).sign()
                value.mul_(1 + 1e-7 * signs.to(value.device))
        return module


def apart(results, others, readouts):
    """The differences of losses and metrics, of all cells of a readout together."""
    found = {}
    for key, one in results.items():
        readout = readouts[key]
        other = others[key]
        for name, curve in one.curves.items():
            pairs = zip(curve.loss, other.curves[name].loss, strict=True)
            found.setdefault((readout, f"{name} loss, means of 50 steps"), []).extend(
                abs(a - b) for a, b in pairs
            )
        for name, value in one.metrics.items():
            if metric(name).tolerance is not None:
                found.setdefault((readout, name), []).append(abs(value - other.metrics[name]))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--backbone", default="convnet")
    parser.add_argument("--recipe", choices=RECIPES, default="handout")
    parser.add_argument("--readout", default="linear", help="one or several, between commas")
    parser.add_argument("--finetune-mode", default="eval", choices=["eval", "train"])
    parser.add_argument("--device", default="cpu", type=torch.device)
    options = parser.parse_args()
    steps = options.steps
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.backends.cudnn.allow_tf32 = False  # as a worker does
    print(machine(), end="\n\n")
    asked = options.readout.split(",")
    planned = plan(
        ("none", "collage", "mixup"),
        backbone=options.backbone,
        seeds=1,
        pretrain_steps=steps,
        finetune_steps=steps,
        full_steps=steps,
        readouts=asked,
        finetune_mode=options.finetune_mode,
        finetune_datasets=["glyph-digits" if "own-head" in asked else "glyph-letters"],
        **RECIPES[options.recipe],
    )
    registry = planned.registry

    def train(engine, kind=CellMaterials):
        materials = kind(
            registry.create,
            lambda info: registry.create(planned.datasets[info.content_hash])(None),
            options.device,
        )
        results = engine.train(planned.cells, materials, test_every=0, progress=lambda steps: None)
        return {result.key: result for result in results}

    packed, reference = train(PackedEngine()), train(ReferenceEngine())
    nudged = train(ReferenceEngine(), Nudged)
    assert all(result.engine == "packed" for result in packed.values())
    for result in (*packed.values(), *reference.values(), *nudged.values()):
        assert result.ok, result.error
    readouts = {cell.key: cell.readout for cell in planned.cells}
    packing, nudging = (apart(one, reference, readouts) for one in (packed, nudged))
    rows = [
        [*name, *(f"{of(some):.0e}" for some in (packing[name], nudging[name]) for of in SUMMARIES)]
        for name in packing
    ]
    print(f"{len(packed)} cells, {steps} + {steps} steps, {options.recipe}\n")
    header = ["packed: median", "largest", "nudged: median", "largest"]
    table(["readout", "difference from the reference", *header], rows)


if __name__ == "__main__":
    main()
