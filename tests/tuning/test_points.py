"""Points of a search space."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import qmc

from augbench.errors import UsageError
from augbench.tuning.points import _COLUMNS, MOST_DIMENSIONS, trial_values, unit_points
from augbench.tuning.spaces import Dimension

counts = st.integers(0, 40)
widths = st.integers(0, MOST_DIMENSIONS)


@given(counts, counts, widths, widths)
def test_fewer_trials_and_fewer_dimensions_are_a_corner_of_more(few, more, narrow, wide):
    (few, more), (narrow, wide) = sorted([few, more]), sorted([narrow, wide])
    part, whole = unit_points(few, narrow), unit_points(more, wide)
    assert part.shape == (few, narrow)
    assert np.array_equal(part, whole[:few, :narrow])


def test_points_lie_in_the_unit_cube_and_never_twice():
    points = unit_points(300, MOST_DIMENSIONS)
    assert ((points >= 0) & (points < 1)).all()
    assert all(len(np.unique(column)) == len(column) for column in points.T)


def test_without_multipliers_and_shifts_it_is_scipys_halton_sequence():
    count = 200
    ours = unit_points(count, len(_COLUMNS))
    theirs = qmc.Halton(len(_COLUMNS), scramble=False).random(count)
    for j, (base, multiplier, shift) in enumerate(_COLUMNS):
        places = next(k for k in itertools.count() if base**k >= count)
        undo = pow(multiplier, -1, base)
        plain = np.zeros(count)
        for place in range(1, places + 1):
            digits = np.rint((ours[:, j] - shift) % 1 * base**places).astype(int)
            plain += digits // base ** (places - place) % base * undo % base / base**place
        assert np.allclose(plain, theirs[:, j])


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
def test_16_trials_spread_better_than_random_ones_and_than_the_plain_sequence(dimensions):
    """Less than a quarter of the mean discrepancy of random points, and hardly any are as good."""
    rng = np.random.default_rng(0)
    random = [qmc.discrepancy(rng.random((15, dimensions))) for _ in range(200)]
    ours = qmc.discrepancy(unit_points(15, dimensions))
    assert ours < 0.25 * np.mean(random)
    assert ours < np.quantile(random, 0.05)
    assert ours < 0.5 * qmc.discrepancy(qmc.Halton(dimensions, scramble=False).random(15))


def test_eight_dimensions_are_no_diagonal_as_those_of_the_plain_sequence():
    plain = np.abs(np.corrcoef(qmc.Halton(8, scramble=False).random(15).T) - np.eye(8)).max()
    ours = np.abs(np.corrcoef(unit_points(15, 8).T) - np.eye(8)).max()
    assert plain > 0.95
    assert ours < 0.5


def test_the_points_are_pinned_since_stored_trials_depend_on_them():
    assert unit_points(3, 4).round(6).tolist() == [
        [0.09375, 0.09375, 0.65625, 0.65625],
        [0.59375, 0.760417, 0.25625, 0.084821],
        [0.34375, 0.427083, 0.85625, 0.513393],
    ]


SPACE = (Dimension("learning_rate", 1e-3, 0.1, log=True), Dimension("mixup.alpha", 0.0, 1, False))


def test_the_first_trial_is_the_arm_as_it_is():
    trials = trial_values(SPACE, 3)
    assert trials[0] == {}
    assert [set(one) for one in trials[1:]] == [{"learning_rate", "mixup.alpha"}] * 2
    assert trial_values(SPACE, 1) == [{}]
    assert trial_values((), 3) == [{}, {}, {}]


def test_an_arm_with_a_parameter_more_has_the_others_values_in_common():
    few, more = trial_values(SPACE[:1], 9), trial_values(SPACE, 9)
    assert few == [{k: v for k, v in one.items() if k == "learning_rate"} for one in more]


def test_more_trials_only_add_some():
    assert trial_values(SPACE, 20)[:7] == trial_values(SPACE, 7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: trial_values(SPACE, 0), "1 trial or more, got 0"),
        (lambda: trial_values(SPACE * 2, 3), "different names"),
        (lambda: unit_points(3, MOST_DIMENSIONS + 1), "tune fewer parameters at once"),
        (lambda: unit_points(-1, 1), "0 trials or more"),
    ],
)
def test_what_cannot_be_drawn_is_one_clear_line(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_bases_are_primes_of_their_own_and_multipliers_turn_no_digit_into_another_s():
    bases = [base for base, _, _ in _COLUMNS]
    assert len(set(bases)) == len(bases)
    for base, multiplier, shift in _COLUMNS:
        assert all(base % k for k in range(2, base))
        assert len({d * multiplier % base for d in range(base)}) == base
        assert 0 <= shift < 1
