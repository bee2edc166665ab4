import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augbench.datasets.subsets import nested_subset
from augbench.errors import StudyError

seeds = st.integers(0, 2**32 - 1)


@st.composite
def labels(draw):
    """Shuffled labels of 2 to 6 classes with 1 to 12 images each, and the number of classes."""
    counts = draw(st.lists(st.integers(1, 12), min_size=2, max_size=6))
    ordered = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(draw(seeds)).permutation(ordered).astype(np.int64), len(counts)


def least_of(labelled, n_classes):
    return int(np.bincount(labelled, minlength=n_classes).min())


@given(labels(), seeds, st.data())
def test_a_smaller_subset_is_a_prefix_of_a_larger_one(labelled, seed, data):
    y, n = labelled
    large = data.draw(st.integers(1, least_of(y, n)))
    small = data.draw(st.integers(1, large))
    first = nested_subset(y, small, n, np.random.default_rng(seed))
    second = nested_subset(y, large, n, np.random.default_rng(seed))
    assert np.array_equal(first, second[: len(first)])


@given(labels(), seeds, st.data())
def test_every_round_holds_each_class_once_and_no_image_twice(labelled, seed, data):
    y, n = labelled
    size = data.draw(st.integers(1, least_of(y, n)))
    subset = nested_subset(y, size, n, np.random.default_rng(seed))
    assert subset.dtype == np.int64
    assert len(set(subset.tolist())) == len(subset) == size * n
    assert np.array_equal(y[subset].reshape(size, n), np.tile(np.arange(n), (size, 1)))


@given(labels(), seeds)
def test_none_means_every_image_and_begins_with_the_largest_balanced_subset(labelled, seed):
    y, n = labelled
    everything = nested_subset(y, None, n, np.random.default_rng(seed))
    assert sorted(everything.tolist()) == list(range(len(y)))
    balanced = nested_subset(y, least_of(y, n), n, np.random.default_rng(seed))
    assert np.array_equal(everything[: len(balanced)], balanced)


def test_another_generator_state_gives_another_subset():
    y = np.arange(1000) % 10
    subsets = [nested_subset(y, 8, 10, np.random.default_rng(seed)) for seed in (1, 2)]
    assert not np.array_equal(*subsets)


def test_subsets_are_pinned_since_every_stored_result_depends_on_them():
    y = np.arange(20) % 3
    subset = nested_subset(y, 2, 3, np.random.Generator(np.random.PCG64(0)))
    assert subset.tolist() == [9, 13, 5, 6, 19, 14]


def test_each_image_is_as_likely_as_any_other():
    y = np.zeros(8, dtype=np.int64)
    rng = np.random.default_rng(0)
    firsts = [nested_subset(y, 1, 1, rng)[0] for _ in range(4000)]
    counts = np.bincount(firsts, minlength=8)
    assert ((counts - 500) ** 2 / 500).sum() < 24.3  # chi-squared, 7 degrees, p = 0.001


def test_global_random_state_and_labels_stay_untouched():
    y = np.arange(30) % 3
    y.flags.writeable = False
    np.random.seed(0)  # noqa: NPY002 (the global state is what is tested)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    nested_subset(y, 4, 3, np.random.default_rng(1))
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize(
    ("per_class", "message"),
    [
        (4, r"4 samples per class asked.*label 1.*holds 3; the largest size that works is 3"),
        (0, "at least 1 sample per class, got 0"),
        (-2, "at least 1 sample per class, got -2"),
    ],
)
def test_what_cannot_be_chosen_is_one_clear_error(per_class, message):
    y = np.array([0, 0, 0, 0, 1, 1, 1])
    with pytest.raises(StudyError, match=message):
        nested_subset(y, per_class, 2, np.random.default_rng(0))
