"""The course handout's own acceptance: a correct network learns its few images."""

import os
from pathlib import Path

import pytest

from augbench import Options
from augbench.api import run

ROOT = os.environ.get("AUGBENCH_DATA", "")
HAS_DATA = bool(ROOT) and all((Path(ROOT) / name / "raw").is_dir() for name in ("MNIST", "EMNIST"))
REAL = (
    pytest.mark.slow,
    pytest.mark.skipif(not HAS_DATA, reason="AUGBENCH_DATA names no folder with MNIST and EMNIST"),
)


@pytest.mark.parametrize(
    ("dataset", "samples_per_class", "batches", "loss"),
    [
        ("glyph-digits", 1, 500, 0.05),
        pytest.param("mnist", 1, 500, 0.05, marks=REAL),
        pytest.param("mnist", 4, 1000, 0.05, marks=REAL),
        pytest.param("mnist", 16, 2000, 0.05, marks=REAL),
        pytest.param("emnist", 1, 1000, 0.5, marks=REAL),
        pytest.param("emnist", 4, 2000, 0.5, marks=REAL),
        pytest.param("emnist", 16, 4000, 1.0, marks=REAL),
    ],
)
def test_the_network_learns_its_few_images_within_the_handouts_batches(
    tmp_path, dataset, samples_per_class, batches, loss
):
    study = Options(
        augmentations=(),
        dataset=dataset,
        samples_per_class=(samples_per_class,),
        backbone="convnet:dropout=0",  # the network that the handout requires
        seeds=1,
        pretrain_steps=batches,
        finetune_steps=1,
        finetune_samples_per_class=1,
        calibration_samples_per_class=0,
        engine="reference",
        workers=0,
        out=tmp_path,
        data_root=ROOT or None,
    )
    (cell,) = run(study).cells
    curve = cell.result.curves["pretrain"]
    # Means over 50 batches at a time, as the network trains.
    reached = [a > 0.9 and b < loss for a, b in zip(curve.accuracy, curve.loss, strict=True)]
    assert any(reached), (curve.accuracy[-1], curve.loss[-1])
