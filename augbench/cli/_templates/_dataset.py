"""A new data set."""

from __future__ import annotations

from augbench.cli._templates._template import Template

__all__ = ["DATASET"]

_IMPORTS = """\
from __future__ import annotations

from pathlib import Path

import numpy as np
from augbench.datasets.contract import Dataset
from augbench.errors import ParameterError
@REGISTER@
from numpy.typing import NDArray
"""

_CODE = '''\
def load(root: Path | None, *, download: bool = False, size: int = 28) -> Dataset:
    """Stripes in four directions under noise: grey images of size × size pixels, drawn on the spot.

    Images of your own are read from files below `root`, the folder that `--data-root` names. Where
    they are missing, raise `DatasetError` with one line on what to do.
    """
    if size < 8:
        raise ParameterError(f"size must be 8 pixels or more, got {size}")
    rng = np.random.default_rng(0)  # of its own: the same images each time
    y, x = np.mgrid[:size, :size]
    across = np.stack([y, x, y + x, y - x])  # [4, H, W]: each is constant along its stripes

    def part(per_class: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        labels = np.arange(4, dtype=np.int64).repeat(per_class)  # [N], in 0 … 3
        shift = rng.integers(6, size=(len(labels), 1, 1))
        bright = (across[labels] + shift) // 3 % 2  # [N, H, W], 1 in every other stripe
        pixels = 127 * bright + rng.integers(128, size=bright.shape)  # 0 … 254
        return pixels[:, None].astype(np.uint8), labels  # [N, 1, H, W], [N]

    classes = ("horizontal", "vertical", "rising", "falling")
    return Dataset("@NAME@", *part(300), *part(100), classes)
'''

_TEST = '''\
"""@NAME@ keeps AugBench's contract, and holds what it says."""

import pytest
from augbench.errors import ParameterError
from augbench.testing import dataset_conformance

from @MODULE@.dataset import load


@dataset_conformance(load)
def test_it_keeps_the_contract() -> None:
    """Each check is a test; a known failure goes into `expected_failures={"check": "reason"}`."""


@pytest.mark.parametrize("size", [8, 28])
def test_it_holds_four_classes_of_square_images(size: int) -> None:
    dataset = load(None, size=size)
    assert dataset.train_images.shape == (1200, 1, size, size)
    assert dataset.test_images.shape == (400, 1, size, size)
    assert dataset.info.train_counts == (300, 300, 300, 300)


def test_horizontal_stripes_are_alike_along_a_row_and_vertical_ones_along_a_column() -> None:
    dataset = load(None)
    for label, along in ((0, 3), (1, 2)):
        images = dataset.train_images[dataset.train_labels == label].astype(float)
        spread = [images.mean(axis=axis).std() for axis in (along, 5 - along)]
        assert spread[0] > 3 * spread[1]


def test_a_size_below_8_is_refused() -> None:
    with pytest.raises(ParameterError, match="8 pixels or more, got 7"):
        load(None, size=7)
'''

DATASET = Template(
    kind="dataset",
    noun="a data set",
    component="load",
    imports=_IMPORTS,
    code=_CODE,
    test=_TEST,
    about="stripes in four directions\nunder noise, 300 training and 100 test images a class.",
    examples=("run --pre-train-dataset @NAME@", "run --finetune-dataset @NAME@"),
    parameters="| `size` | 28 | height and width in pixels, 8 or more |\n",
    dependencies=("augbench", "numpy"),
)
