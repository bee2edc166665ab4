"""How far packed and one-by-one results of the same cells lie apart: the handout's 21 cells.

`python benchmarks/agreement.py --steps 2000` takes both through the whole protocol, in minutes.
"""

import argparse

import torch
from _measure import machine, table

from augbench.api import Options, plan
from augbench.engines.packed import PackedEngine
from augbench.engines.reference import ReferenceEngine
from augbench.engines.workshop import Workshop
from augbench.protocol.study import Settings


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print(machine(), end="\n\n")
    settings = Settings(pretrain_steps=steps, finetune_steps=steps)
    planned = plan(Options(augmentations=("none", "collage", "mixup"), seeds=1, settings=settings))
    registry = planned.registry
    workshop = Workshop(
        registry.create, lambda info: registry.create(planned.datasets[info.content_hash])(None)
    )
    packed, reference = (
        {
            result.key: result
            for result in engine.train(
                planned.cells, workshop, test_every=0, progress=lambda steps: None
            )
        }
        for engine in (PackedEngine(), ReferenceEngine())
    )
    assert all(result.ok and result.engine == "packed" for result in packed.values())
    apart = {}
    for key, one in packed.items():
        other = reference[key]
        for name, curve in one.curves.items():
            pairs = zip(curve.loss, other.curves[name].loss, strict=True)
            apart.setdefault(f"{name} loss, means of 50 steps", []).extend(
                abs(a - b) for a, b in pairs
            )
        for name, value in one.metrics.items():
            if name not in ("pretrain_seconds", "extra_passes"):
                apart.setdefault(name, []).append(abs(value - other.metrics[name]))
    rows = [[name, f"{max(some):.1e}"] for name, some in apart.items()]
    print(f"{len(packed)} cells, {steps} + {steps} steps\n")
    table(["", "largest difference"], rows)


if __name__ == "__main__":
    main()
