"""Trainings that were plainly cut short are found, and converged ones are left alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from augbench.errors import UsageError
from augbench.statistics import (
    CutShort,
    cut_short_line,
    late_gain,
    late_rises,
    step_down_max_t,
)

GUESSING = math.log(10)
WINDOWS = 40  # 2,000 steps
NOISE = 0.06  # of the mean loss of 50 batches of 8 images, where the loss is about 1


def curves(rng, mean, *, seeds=8, noise=NOISE):
    """Loss curves [n, W] around a mean, with noise that is correlated from window to window."""
    white = rng.standard_normal((seeds, WINDOWS))
    smooth = (white + np.roll(white, 1, axis=1)) / math.sqrt(2)
    return np.asarray(mean) + noise * smooth


def approach(constants):
    """The mean loss of an exponential approach to half of guessing, of so many time constants."""
    return GUESSING / 2 * (1 + np.exp(-constants * np.linspace(0, 1, WINDOWS)))


@pytest.mark.parametrize(
    "mean",
    [
        np.full(WINDOWS, 0.5),
        np.full(WINDOWS, GUESSING),  # nothing is learnt
        approach(5),
        GUESSING / np.sqrt(1 + 100 * np.linspace(0, 1, WINDOWS)),  # a power law never ends
        approach(4) + 0.3 * np.linspace(0, 1, WINDOWS),  # rises in the end
    ],
    ids=["flat", "guessing", "five time constants", "power law", "rising"],
)
def test_a_training_that_has_converged_is_hardly_ever_named(mean) -> None:
    rng = np.random.default_rng(0)
    named = sum(late_gain(curves(rng, mean), GUESSING).plain for _ in range(500))
    assert named <= 1
    alone = sum(late_gain(curves(rng, mean, seeds=1), GUESSING).plain for _ in range(500))
    assert alone <= 0.08 * 500


@pytest.mark.parametrize("constants", [0.75, 1.0, 1.5])
def test_a_training_of_few_time_constants_is_named(constants) -> None:
    rng = np.random.default_rng(1)
    found = [late_gain(curves(rng, approach(constants)), GUESSING) for _ in range(100)]
    assert sum(one.plain for one in found) >= 95
    # By integrals of the exponential over its third and fourth quarters.
    x = constants / 4
    third, fourth = (
        GUESSING / 2 * (1 + (math.exp(-k * x) - math.exp(-(k + 1) * x)) / x) for k in (2, 3)
    )
    expected = (third - fourth) / (GUESSING - fourth)
    assert np.mean([one.share for one in found]) == pytest.approx(expected, rel=0.1)


def test_one_seed_is_judged_by_the_noise_of_its_own_curve() -> None:
    rng = np.random.default_rng(2)
    assert late_gain(curves(rng, approach(1), seeds=1), GUESSING).plain
    assert not late_gain(curves(rng, approach(1), seeds=1, noise=1.0), GUESSING).plain


def test_an_arm_is_named_where_more_than_half_of_its_seeds_were_cut_short() -> None:
    rng = np.random.default_rng(3)
    slow, done = curves(rng, approach(1), seeds=4), curves(rng, approach(9), seeds=4)
    half = late_gain(np.vstack([slow, done]), GUESSING)
    assert (half.cut_short, half.n, half.plain) == (4, 8, False)
    assert late_gain(np.vstack([slow, done[:3]]), GUESSING).plain


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1000), st.integers(2, 6), st.sampled_from([0.3, 1.0, 3.0]))
def test_the_order_of_seeds_and_the_unit_of_the_loss_change_nothing(seed, n, unit) -> None:
    rng = np.random.default_rng(seed)
    table = curves(rng, approach(rng.uniform(0.3, 3)), seeds=n)
    one = late_gain(table, GUESSING)
    other = late_gain(unit * table[rng.permutation(n)], unit * GUESSING)
    assert one.cut_short == other.cut_short
    assert one.share == pytest.approx(other.share)


def test_a_missing_seed_is_left_out_and_a_short_curve_is_not_judged() -> None:
    rng = np.random.default_rng(4)
    table = curves(rng, approach(1), seeds=3)
    table[1] = math.nan
    assert late_gain(table, GUESSING).n == 2
    short = late_gain(table[:, :11], GUESSING)
    assert (short.cut_short, short.plain) == (0, False)
    assert math.isnan(short.share)
    assert not late_gain(np.empty((0, 40)), GUESSING).plain


def test_a_loss_of_guessing_that_is_none_is_one_clear_line() -> None:
    with pytest.raises(UsageError, match="guessing: expected a loss in nats above 0, got 0"):
        late_gain(np.ones((2, 40)), 0)


def test_rises_are_paired_and_corrected_over_all_columns() -> None:
    rng = np.random.default_rng(5)
    early = 0.6 + rng.normal(0, 0.03, (8, 1)) + rng.normal(0, 0.01, (8, 3))
    late = early + np.array([0.06, 0.004, 0.0]) + rng.normal(0, [0.01, 0.0001, 0.01], (8, 3))
    found = late_rises(late, early)
    assert [one.p_adjusted for one in found] == step_down_max_t(late - early).tolist()
    for one, column in zip(found, (late - early).T, strict=True):
        low, high = stats.t.interval(0.95, 7, column.mean(), stats.sem(column))
        assert (one.rise.lower, one.rise.upper) == pytest.approx((low, high))
    # The second is established, and too small to matter.
    assert found[1].p_adjusted <= 0.05
    assert [one.plain() for one in found] == [True, False, False]


def test_rises_where_budgets_do_not_matter_are_hardly_ever_named() -> None:
    rng = np.random.default_rng(6)
    named = 0
    for _ in range(200):
        early, late = 0.6 + rng.normal(0, 0.03, (2, 8, 6))
        named += any(one.plain() for one in late_rises(late, early))
    assert named <= 200 * 0.12


def test_the_line_names_arms_with_their_sizes_and_why() -> None:
    rng = np.random.default_rng(7)
    slow = late_gain(curves(rng, approach(1)), GUESSING)
    done = late_gain(curves(rng, approach(9)), GUESSING)
    (rise,) = late_rises(np.full((6, 1), 0.8), np.full((6, 1), 0.7))
    found = [
        CutShort("none", 4, done, None),
        CutShort("none", 64, slow, None),
        CutShort("collage", 4, done, rise),
        CutShort("collage", 64, slow, rise),
    ]
    assert cut_short_line(found, "2,000 steps") == (
        "Plainly not converged after 2,000 steps, by samples per class: none at 64; collage at 4 "
        "and 64 (over a tenth of all that was learnt came in the last quarter, or the longest "
        "budget is more accurate by over a point). Longer pretraining may change what is said of "
        "them."
    )
    assert cut_short_line(found[:1], "2,000 steps") == ""
