"""The course handout's own acceptance: a correct network learns its few images, on real data."""

import os
from pathlib import Path

import pytest

from augbench.api import plan

ROOT = os.environ.get("AUGBENCH_DATA", "")
HAS_DATA = bool(ROOT) and all((Path(ROOT) / name / "raw").is_dir() for name in ("MNIST", "EMNIST"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HAS_DATA, reason="AUGBENCH_DATA names no folder with MNIST and EMNIST"),
]


@pytest.mark.parametrize(
    ("dataset", "samples_per_class", "batches", "loss"),
    [
        ("mnist", 1, 500, 0.05),
        ("mnist", 4, 1000, 0.05),
        ("mnist", 16, 2000, 0.05),
        ("emnist", 1, 1000, 0.5),
        ("emnist", 4, 2000, 0.5),
        ("emnist", 16, 4000, 1.0),
    ],
)
def test_the_network_learns_its_few_images_within_the_handouts_batches(
    dataset, samples_per_class, batches, loss
):
    from augbench.batching.materials import CellMaterials
    from augbench.training.reference import pretrain

    planned = plan(
        augmentations=(),
        pretrain_datasets=(dataset,),
        finetune_datasets=(dataset,),
        samples_per_class=(samples_per_class,),
        backbone="convnet:dropout=0",  # the network that the handout requires
        seeds=1,
        pretrain_steps=batches,
        finetune_samples_per_class=1,
        data_root=ROOT,
    )
    (cell,) = planned.cells
    materials = CellMaterials(planned.registry.create, lambda info: planned.load(info.content_hash))
    _, _, curve = pretrain(cell, materials, 0, lambda steps: None)
    # Means over 50 batches at a time, as the network trains.
    reached = [a > 0.9 and b < loss for a, b in zip(curve.accuracy, curve.loss, strict=True)]
    assert any(reached), (curve.accuracy[-1], curve.loss[-1])
