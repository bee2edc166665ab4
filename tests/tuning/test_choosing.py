"""The choice among trials, and the folds of a subset."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augbench.errors import UsageError
from augbench.tuning.choosing import choose
from augbench.tuning.folds import fold_rounds, folds_of


def test_the_best_mean_over_seeds_is_chosen():
    assert choose([[0.5, 0.9, 0.7], [0.5, 0.4, 0.7]]) == 2


def test_the_defaults_win_a_tie_and_round_off_makes_none():
    assert choose([[0.7, 0.7], [0.7, 0.7]]) == 0
    assert choose([[0.1 + 0.2, 0.3], [0.3, 0.1 + 0.2]]) == 0
    assert choose([[0.3, 0.1 + 0.2]]) == 0


def test_a_trial_that_misses_a_seed_is_passed_over():
    assert choose([[0.5, math.nan, 0.6], [0.5, 0.99, 0.6]]) == 2
    assert choose([[math.nan, 0.2]]) == 1


@given(st.lists(st.lists(st.integers(0, 20), min_size=3, max_size=3), min_size=1, max_size=5))
def test_no_trial_is_better_and_none_before_it_as_good(counts):
    sums = np.sum(counts, axis=0)
    chosen = choose(np.array(counts) / 20)
    assert sums[chosen] == sums.max()
    assert (sums[:chosen] < sums.max()).all()


@pytest.mark.parametrize(
    "scores",
    [[0.5], [[]], [[math.inf, 0.5]], [[math.nan], [0.5]], [[math.nan, 0.1], [0.1, math.nan]]],
)
def test_what_cannot_be_compared_is_an_error(scores):
    with pytest.raises(UsageError, match=r"scores: expected finite|no trial has a score"):
        choose(scores)


@pytest.mark.parametrize(("s", "folds"), [(1, 0), (2, 2), (3, 3), (4, 4), (5, 4), (64, 4)])
def test_folds_are_at_most_four_and_none_with_one_image(s, folds):
    assert folds_of(s) == folds


@given(st.integers(2, 200), st.data())
def test_every_round_is_held_out_once_and_folds_are_even(s, data):
    folds = data.draw(st.integers(2, s))
    rounds = [fold_rounds(s, folds, k) for k in range(folds)]
    assert sorted(np.concatenate(rounds).tolist()) == list(range(s))
    sizes = [len(one) for one in rounds]
    assert max(sizes) - min(sizes) <= 1
    assert min(s - size for size in sizes) >= 1  # something is left to learn from
    assert all((one % folds == k).all() for k, one in enumerate(rounds))


@pytest.mark.parametrize(
    ("s", "folds", "k"), [(1, 1, 0), (4, 5, 0), (4, 1, 0), (4, 2, 2), (4, 2, -1)]
)
def test_folds_that_hold_nothing_are_refused(s, folds, k):
    with pytest.raises(UsageError, match="expected 2 to"):
        fold_rounds(s, folds, k)


def test_a_subset_of_nothing_has_no_folds():
    with pytest.raises(UsageError, match="1 sample per class or more"):
        folds_of(0)
