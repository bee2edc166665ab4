from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import sklearn.metrics as skm
from hypothesis import given
from hypothesis import strategies as st

from augbench.errors import UsageError
from augbench.statistics import (
    balanced_accuracy,
    confusion_matrix,
    largest_confusions,
    macro_f1,
    recall_by_class,
)

CLASSES = 5
# Of few images, some classes have no test images, and some are never predicted.
LABELS = st.lists(
    st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=30
)


@given(LABELS)
def test_each_measure_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    true, given_ = np.array(pairs).T
    every, there = np.arange(CLASSES), np.unique(true)
    counts = confusion_matrix(true, given_, CLASSES)
    np.testing.assert_array_equal(counts, skm.confusion_matrix(true, given_, labels=every))
    recall = skm.recall_score(true, given_, labels=every, average=None, zero_division=np.nan)
    np.testing.assert_allclose(recall_by_class(counts), recall)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of classes without test images
        assert balanced_accuracy(counts) == pytest.approx(skm.balanced_accuracy_score(true, given_))
    f1 = skm.f1_score(true, given_, labels=there, average="macro", zero_division=0)
    assert macro_f1(counts) == pytest.approx(f1)


def test_a_class_without_test_images_counts_nowhere_but_as_a_mistake_of_others() -> None:
    counts = confusion_matrix([0, 0, 1, 1], [0, 2, 1, 1], 3)
    assert np.isnan(recall_by_class(counts)).tolist() == [False, False, True]
    assert balanced_accuracy(counts) == pytest.approx((0.5 + 1) / 2)
    assert macro_f1(counts) == pytest.approx((2 / 3 + 1) / 2)


def test_answering_one_class_always_gives_one_over_the_number_of_classes() -> None:
    labels = np.repeat([0, 1, 2, 3], [700, 200, 50, 50])
    counts = confusion_matrix(labels, np.zeros_like(labels), 4)
    assert np.trace(counts) / counts.sum() == 0.7
    assert balanced_accuracy(counts) == 0.25
    assert macro_f1(counts) == pytest.approx(2 * 0.7 / 1.7 / 4)


def test_equal_classes_have_a_balanced_accuracy_that_is_the_accuracy() -> None:
    rng = np.random.default_rng(0)
    labels, given_ = np.arange(300) % 3, rng.integers(0, 3, 300)
    counts = confusion_matrix(labels, given_, 3)
    assert balanced_accuracy(counts) == pytest.approx(np.mean(labels == given_))


def test_the_largest_confusions_are_shares_of_their_true_class() -> None:
    counts = [[8, 2, 0], [0, 1, 3], [1, 0, 99]]
    assert largest_confusions(counts, 2) == [(1, 2, 0.75), (0, 1, 0.2)]
    assert largest_confusions(counts, 9)[2:] == [(2, 0, 0.01)]
    assert largest_confusions(np.eye(3, dtype=int), 3) == []


def test_nothing_at_all_has_no_measure() -> None:
    empty = confusion_matrix([], [], 3)
    assert empty.tolist() == [[0] * 3] * 3
    assert math.isnan(balanced_accuracy(empty))
    assert math.isnan(macro_f1(empty))


@pytest.mark.parametrize(
    ("true", "given_"), [([0, 1], [0]), ([0, 3], [0, 1]), ([0, -1], [0, 1]), ([0.5], [0])]
)
def test_classes_that_are_none_are_one_clear_line(true: list[float], given_: list[float]) -> None:
    with pytest.raises(UsageError, match="expected"):
        confusion_matrix(true, given_, 3)
    with pytest.raises(UsageError, match="expected counts"):
        balanced_accuracy([[1, 2]])
