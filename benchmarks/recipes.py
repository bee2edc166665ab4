"""Accuracy by recipe: the measurements behind the recipe `standard` of docs/recipes.md.

`python benchmarks/recipes.py mnist --data-root DIR`, or with `folder:PATH,size=32,channels=3` in
the place of `mnist`: pretrained and finetuned on this one data set, at 4 and 64 images a class.
Prints the accuracy in % on its test images, mean and 95 % t interval over seeds.
"""

import argparse
import tempfile
import time

from _measure import machine, table

import augbench

RECIPES = {
    "handout": {},
    "handout, 32 images a step": {"batch_size": 32},
    "standard": {"recipe": "standard"},
    "standard without momentum": {"momentum": 0, "nesterov": False},
    "standard without weight decay": {"weight_decay": 0},
    "standard at a constant rate": {"schedule": "constant", "warmup": 0},
    "standard without normalization": {"normalize": "none"},
    "standard with label smoothing 0.1": {"label_smoothing": 0.1},
    "standard with gradients clipped to 1": {"clip_norm": 1.0},
    "standard with the handout's finetuning": {
        "finetune_momentum": 0,
        "finetune_schedule": "constant",
    },
    "AdamW": {
        "optimizer": "adamw",
        "momentum": 0,
        "nesterov": False,
        "learning_rate": 1e-3,
        "weight_decay": 0.05,
    },
}
SIZES = (4, 64)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--data-root")
    parser.add_argument("--backbone", default="convnet")
    parser.add_argument("--plugin", action="append", default=[])
    parser.add_argument("--aug", action="append", default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--finetune-samples", type=int, default=80)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--recipe", action="append", help="Only these rows.")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    print(machine(), end="\n\n")
    extra = dict(one.split("=") for one in options.set)
    extra = {name: float(value) if "." in value else int(value) for name, value in extra.items()}
    arms = ["none", *options.aug]
    rows = []
    for name, values in RECIPES.items():
        if options.recipe and name not in options.recipe:
            continue
        start = time.perf_counter()
        recipe = "standard" if name not in ("handout", "handout, 32 images a step") else "handout"
        with tempfile.TemporaryDirectory() as folder:
            result = augbench.run(
                options.aug,
                pretrain_datasets=options.dataset,
                finetune_datasets=options.dataset,
                data_root=options.data_root,
                backbone=options.backbone,
                plugins=options.plugin,
                samples_per_class=SIZES,
                seeds=options.seeds,
                pretrain_steps=options.steps,
                finetune_samples_per_class=options.finetune_samples,
                workers=options.workers,
                out=folder,
                **{"recipe": recipe, **values, **extra},
            )
            print(name, [cell.result.error for cell in result.failed], flush=True)
            cells = {(row["augmentation"], row["samples_per_class"]): row for row in result.table()}
        rows.append(
            [
                name,
                *(_percent(cells[arm, size]) for size in SIZES for arm in arms),
                f"{time.perf_counter() - start:.0f}",
            ]
        )
        print(rows[-1], flush=True)
    heads = [f"{arm}, s = {size}" for size in SIZES for arm in arms]
    table(["recipe", *heads, "seconds"], rows)


def _percent(row):
    return f"{100 * row['mean']:.1f} ± {100 * (row['upper'] - row['lower']) / 2:.1f}"


if __name__ == "__main__":
    main()
