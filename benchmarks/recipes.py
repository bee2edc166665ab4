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

SIZES = (4, 64)
STANDARD = {"recipe": "standard"}
RECIPES = {
    "handout": {},
    "handout, 32 images a step": {"batch_size": 32},
    "standard": STANDARD,
    "standard at 0.01": {**STANDARD, "learning_rate": 0.01},
    "standard at 0.05": {**STANDARD, "learning_rate": 0.05},
    "standard, constant rate": {**STANDARD, "schedule": "constant", "warmup": 0},
    "standard, no weight decay": {**STANDARD, "weight_decay": 0},
    "standard, no normalisation": {**STANDARD, "normalize": "none"},
    "standard, label smoothing 0.1": {**STANDARD, "label_smoothing": 0.1},
    "AdamW at 0.001, decay 0.05": {
        **STANDARD,
        "optimizer": "adamw",
        "momentum": 0,
        "nesterov": False,
        "learning_rate": 1e-3,
        "weight_decay": 0.05,
    },
}


def measured(options, recipe):
    """Rows of the study's table of accuracies, by arm and size; and seconds."""
    start = time.perf_counter()
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
            **recipe,
        )
        assert not result.failed, result.failed[0].result.error
        rows = {(row["augmentation"], row["samples_per_class"]): row for row in result.table()}
    return rows, time.perf_counter() - start


def percent(row):
    return f"{100 * row['mean']:.1f} ± {50 * (row['upper'] - row['lower']):.1f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--data-root")
    parser.add_argument("--backbone", default="convnet")
    parser.add_argument("--plugin", action="append", default=[])
    parser.add_argument("--aug", action="append", default=[])
    parser.add_argument("--recipe", action="append", choices=RECIPES, help="only these rows")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--finetune-samples", type=int, default=80)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print(machine(), end="\n\n")
    places = [(arm, size) for size in SIZES for arm in ("none", *options.aug)]
    rows = []
    for name in options.recipe or RECIPES:
        found, seconds = measured(options, RECIPES[name])
        rows.append([name, *(percent(found[place]) for place in places), f"{seconds:.0f}"])
    heads = [f"{arm}, s = {size}" for arm, size in places]
    table([f"recipe, n = {options.seeds} seeds", *heads, "seconds"], rows)


if __name__ == "__main__":
    main()
