"""Validation images: training images of D_F that no training of the study uses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augbench.batching.materials import CellMaterials
from augbench.datasets.contract import Dataset
from augbench.datasets.subsets import nested_subset
from augbench.errors import StudyError
from augbench.options import Settings
from augbench.plugins import Registry
from augbench.protocol.streams import Role, cell_stream, stream
from augbench.protocol.study import Arm, Cell
from augbench.tuning.validation import validation_left, validation_positions


@st.composite
def studies(draw):
    """Shuffled labels, and the sizes of a study on them."""
    counts = draw(st.lists(st.integers(2, 40), min_size=2, max_size=5))
    ordered = np.repeat(np.arange(len(counts)), counts)
    labels = np.random.default_rng(draw(st.integers(0, 99))).permutation(ordered).astype(np.int64)
    sizes = {
        "finetune": draw(st.integers(1, max(1, min(counts) // 2))),
        "calibration": draw(st.integers(0, 6)),
        "outside": draw(st.integers(0, 12)),
    }
    return labels, counts, draw(st.integers(0, 10**6)), sizes


def streams(seed):
    roles = (Role.FINETUNE_SUBSET, Role.SUBSET)
    return [stream(role, root=0, dataset="same", seed=seed) for role in roles]


@given(studies(), st.data())
def test_no_training_of_the_study_has_seen_them_and_they_are_balanced(study, data):
    labels, counts, seed, sizes = study
    classes = len(counts)
    left = validation_left(counts, *streams(seed), **sizes)
    if not left:
        return
    v = data.draw(st.integers(1, left))
    chosen = validation_positions(labels, v, classes, *streams(seed), **sizes)
    assert len(set(chosen.tolist())) == len(chosen) == v * classes
    assert np.array_equal(labels[chosen].reshape(v, classes), np.tile(np.arange(classes), (v, 1)))

    # As the materials of an engine draw them, from `nested_subset`.
    held_out = min(sizes["calibration"], min(counts) - sizes["finetune"])
    finetuned = nested_subset(labels, sizes["finetune"] + held_out, classes, streams(seed)[0])
    assert not set(chosen.tolist()) & set(finetuned.tolist())
    if sizes["outside"]:
        size = min(sizes["outside"], min(counts))
        pretrained = nested_subset(labels, size, classes, streams(seed)[1])
        assert not set(chosen.tolist()) & set(pretrained.tolist())

    fewer = validation_positions(labels, 1, classes, *streams(seed), **sizes)
    assert np.array_equal(fewer, chosen[:classes])


@given(studies())
def test_what_is_counted_is_what_can_be_drawn_and_not_one_more(study):
    labels, counts, seed, sizes = study
    left = validation_left(counts, *streams(seed), **sizes)
    if left:
        validation_positions(labels, left, len(counts), *streams(seed), **sizes)
    with pytest.raises(StudyError, match=f"expected 1 to {left} validation images per class"):
        validation_positions(labels, left + 1, len(counts), *streams(seed), **sizes)


@given(studies())
def test_they_are_all_images_that_are_left(study):
    labels, counts, seed, sizes = study
    held_out = min(sizes["calibration"], min(counts) - sizes["finetune"])
    everything = nested_subset(labels, None, len(counts), streams(seed)[0])
    others = nested_subset(labels, None, len(counts), streams(seed)[1])
    free = []
    for c in range(len(counts)):
        rest = everything[labels[everything] == c][sizes["finetune"] + held_out :]
        seen = others[labels[others] == c][: sizes["outside"]]
        free.append(len(set(rest.tolist()) - set(seen.tolist())))
    assert validation_left(counts, *streams(seed), **sizes) == min(free)


def test_the_engines_train_on_none_of_them():
    """By the images that `CellMaterials` hands out: each tells its own number."""
    numbers = np.arange(200, dtype=np.uint8)
    images = np.broadcast_to(numbers[:, None, None, None], (200, 1, 8, 8)).copy()
    labels = np.random.default_rng(3).permutation(200).astype(np.int64) % 4
    dataset = Dataset("numbers", images, labels, images[:4], np.arange(4), ("a", "b", "c", "d"))
    info = dataset.info
    registry = Registry.load()
    arm = Arm.of(
        registry.resolve("augmentation", "none"),
        Settings(finetune_samples_per_class=20, calibration_samples_per_class=5, root_seed=7),
    )
    cell = Cell(info, info, registry.resolve("backbone", "convnet"), arm, 8, seed=2)
    materials = CellMaterials(registry.create, lambda _: dataset)
    parts = [materials.pretrain_set(cell), *materials.finetune_sets(cell)]
    used = {int(number) for part in parts for number in part.images[:, 0, 0, 0]}

    sizes = {"finetune": 20, "calibration": 5, "outside": 8}
    roles = (Role.FINETUNE_SUBSET, Role.SUBSET)
    left = validation_left(info.train_counts, *(cell_stream(cell, r) for r in roles), **sizes)
    chosen = validation_positions(labels, left, 4, *(cell_stream(cell, r) for r in roles), **sizes)
    assert left >= 50 - 25 - 8
    assert len(used) > 100
    assert not used & set(chosen.tolist())


def test_other_data_need_no_pretraining_stream():
    labels = np.arange(40, dtype=np.int64) % 2
    sizes = {"finetune": 5, "calibration": 4}
    assert validation_left([20, 20], streams(0)[0], **sizes) == 11
    order = nested_subset(labels, None, 2, streams(0)[0])
    chosen = validation_positions(labels, 3, 2, streams(0)[0], **sizes)
    assert np.array_equal(chosen, order[18:24])


def test_images_outside_subsets_that_are_not_told_are_an_error():
    with pytest.raises(ValueError, match="D_P's generator"):
        validation_left([20], streams(0)[0], finetune=1, calibration=1, outside=4)
