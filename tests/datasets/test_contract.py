from dataclasses import replace

import numpy as np
import pytest

from augbench.datasets.contract import Dataset
from augbench.errors import DatasetError

Z4 = np.zeros(4, dtype=np.int64)


def make(**changes):
    fields = {
        "name": "toy",
        "train_images": np.arange(4 * 6, dtype=np.uint8).reshape(4, 1, 2, 3),
        "train_labels": np.array([0, 1, 1, 0]),
        "test_images": np.zeros((2, 1, 2, 3), dtype=np.uint8),
        "test_labels": np.array([0, 1]),
        "classes": ("a", "b"),
    }
    return Dataset(**{**fields, **changes})


def test_info_is_what_the_arrays_say():
    info = make().info
    assert info.image_shape == (1, 2, 3)
    assert info.train_counts == (2, 2)
    assert (info.name, info.classes, info.test_size) == ("toy", ("a", "b"), 2)


def test_content_hash_knows_images_labels_and_shapes_but_no_names():
    toy = make()
    assert replace(toy, name="x", classes=("c", "d")).content_hash == toy.content_hash
    others = [
        make(train_labels=np.array([0, 1, 0, 1])),
        make(test_labels=np.array([1, 0])),
        make(test_images=np.ones((2, 1, 2, 3), dtype=np.uint8)),
        make(
            train_images=toy.train_images.reshape(4, 1, 3, 2),
            test_images=toy.test_images.reshape(2, 1, 3, 2),
        ),
    ]
    assert len({toy.content_hash, *(other.content_hash for other in others)}) == 5


def test_content_hash_does_not_depend_on_memory_layout():
    strided = np.asfortranarray(make().train_images)
    assert make(train_images=strided).content_hash == make().content_hash


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_images": np.zeros((4, 2, 3), np.uint8)}, r"uint8 \[N, C, H, W\], got uint8"),
        ({"test_images": np.zeros((2, 1, 2, 3), np.float32)}, "got float32"),
        ({"train_labels": np.zeros(3, np.int64)}, r"int64 \[4\], got int64 \[3\]"),
        ({"train_labels": np.zeros(4, np.int32)}, "got int32"),
        ({"train_labels": np.array([0, 1, 2, 0])}, r"labels in 0 … 1, got 0 … 2"),
        ({"test_labels": np.array([-1, 0])}, r"got -1 … 0"),
        (
            {
                "classes": ("a",),
                "train_labels": np.zeros(4, np.int64),
                "test_labels": np.zeros(2, int),
            },
            "at least 2",
        ),
        ({"test_images": np.zeros((2, 1, 3, 3), np.uint8)}, "of one shape"),
        ({"train_labels": Z4}, "class 'b' has no training images"),
        (
            {"test_images": np.zeros((0, 1, 2, 3), np.uint8), "test_labels": np.zeros(0, int)},
            "no test",
        ),
    ],
)
def test_what_breaks_the_contract_is_one_clear_error(changes, message):
    with pytest.raises(DatasetError, match=message):
        make(**changes)


def noise(count, low=0, high=256):
    rng = np.random.default_rng([count, low])
    return rng.integers(low, high, (count, 1, 4, 4), dtype=np.uint8)


def doubts(train_images, test_images):
    labels = [np.arange(len(part)) % 2 for part in (train_images, test_images)]
    return Dataset("toy", train_images, labels[0], test_images, labels[1], ("a", "b")).info.warnings


def test_images_that_stand_in_both_parts_are_counted():
    train, test = noise(40), noise(20)
    assert doubts(train, test) == ()
    test[3], test[7], test[9] = train[5], train[5], train[39]
    (line,) = doubts(train, test)
    assert line.startswith("data set 'toy': 3 of 20 test images are training images too")


@pytest.mark.parametrize(("low", "high", "colour"), [(0, 16, "black"), (240, 256, "white")])
def test_data_without_contrast_are_warned_of(low, high, colour):
    """12 bits that were read as 16 have no value above 15."""
    train, test = noise(40), noise(20)
    train[:6] = noise(6, low, high)  # a tenth of all: dark pictures among others
    assert doubts(train, test) == ()
    train[:7] = noise(7, low, high)
    (line,) = doubts(train, test)
    assert line.startswith(f"data set 'toy': 7 of 60 images are near-{colour} all over")


def test_warnings_are_no_part_of_what_a_data_set_is():
    info = make().info
    assert replace(info, warnings=("one",)) == info
