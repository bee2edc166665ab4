"""The cost of a packed step by recipe, as a multiple of the handout's plain SGD.

`python benchmarks/recipe_steps.py`. One thread; recipes take turns, and the ratio is that of the
medians of their steps in seconds of this process, once each has learnt whether to replay its step.
"""

import argparse
import time
from itertools import product
from statistics import median

import numpy as np
import torch
from _measure import machine, table
from torch import nn

from augbench.packed import Heads, own_dropout
from augbench.packed.trace import PackedByRules
from augbench.plugins.registry import Registry
from augbench.protocol.recipe import Recipe
from augbench.training.descent import descent

RECIPES = {
    "plain SGD": Recipe(),
    "a learning rate for each cell": None,
    "momentum, decay, cosine": Recipe(momentum=0.9, weight_decay=5e-4, schedule="cosine"),
    "the same with Nesterov": Recipe(
        momentum=0.9, nesterov=True, weight_decay=5e-4, schedule="cosine"
    ),
    "the same with clipping": Recipe(
        momentum=0.9, nesterov=True, weight_decay=5e-4, schedule="cosine", clip_norm=1.0
    ),
    "AdamW, cosine": Recipe(
        learning_rate=1e-3, optimizer="adamw", weight_decay=0.05, schedule="cosine"
    ),
}
WARMING, CLASSES = 30, 10


def step_of(registry, backbone, shape, cells, batch, recipe):
    torch.manual_seed(0)
    create = registry.create(backbone)
    networks = [create(shape[0], shape[1:]) for _ in range(cells)]
    width = networks[0].feature_dim
    networks = [
        own_dropout(one, lambda layer, k=k: np.random.default_rng([k, layer]))
        for k, one in enumerate(networks)
    ]
    packed = PackedByRules(networks)
    packed.train()
    heads = Heads([nn.Linear(width, CLASSES) for _ in range(cells)])
    recipes = [recipe] * cells
    if recipe is None:
        recipes = [Recipe(learning_rate=0.01 * (1 + k / cells)) for k in range(cells)]
    descend = descent(packed, heads, recipes, 10**5)
    weight = -torch.rand(cells, batch, CLASSES).softmax(2) / batch
    images = torch.rand(batch, cells * shape[0], *shape[1:])

    def step():
        start = time.process_time()
        descend(images, weight)
        return time.process_time() - start

    for _ in range(WARMING):
        step()
    return step, descend


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--plugin", action="append", default=[])
    parser.add_argument("--networks", nargs="+", default=["convnet"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print(machine(), end="\n\n")
    registry = Registry.load(options.plugin)
    rows = []
    sizes = (((1, 28, 28), 11, 8), ((3, 32, 32), 4, 32))
    for spec, (shape, cells, batch) in product(options.networks, sizes):
        backbone = registry.resolve("backbone", spec)
        made = {
            name: step_of(registry, backbone, shape, cells, batch, recipe)
            for name, recipe in RECIPES.items()
        }
        took = {name: [] for name in made}
        for _ in range(options.steps):
            for name, (step, _) in made.items():
                took[name].append(step())
        plain = median(took["plain SGD"])
        for name, (_, descend) in made.items():
            own = median(took[name])
            how = "replayed" if getattr(descend, "in_use", False) else "as it is"
            rows.append(
                [
                    f"{spec}, {cells} cells, {batch} images {'×'.join(map(str, shape))}",
                    *(name, f"{1e3 * own:.2f}", f"{own / plain:.2f}", how),
                ]
            )
    table(["network", "recipe", "ms", "of plain", "step"], rows)


if __name__ == "__main__":
    main()
