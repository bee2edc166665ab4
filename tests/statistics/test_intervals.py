from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from augbench.errors import UsageError
from augbench.statistics import mean_interval, paired_difference, pairing

accuracies = st.floats(0, 1, allow_nan=False)


@pytest.mark.parametrize("n", [2, 3, 10, 40])
def test_the_paired_interval_is_scipys_ttest_rel(n: int) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.normal(size=(2, n))
    ours = paired_difference(a, b, confidence=0.9)
    theirs = stats.ttest_rel(a, b).confidence_interval(0.9)
    assert (ours.lower, ours.upper) == pytest.approx((theirs.low, theirs.high), rel=1e-12)
    assert ours.sd == pytest.approx(np.std(a - b, ddof=1))


def test_a_mean_of_three_by_hand() -> None:
    # sd of 1, 2, 3 is 1; t(2, .975) = 4.3027, and 4.3027/√3 = 2.4842
    result = mean_interval([1, 2, 3])
    assert (result.mean, result.sd, result.n) == (2, 1, 3)
    assert result.half_width == pytest.approx(2.4842, abs=1e-4)


def test_one_seed_has_a_mean_and_no_interval() -> None:
    result = mean_interval([0.5])
    assert result.mean == 0.5
    assert math.isnan(result.lower)
    assert math.isnan(result.upper)
    assert math.isnan(result.sd)


def test_no_seed_has_nothing() -> None:
    result = mean_interval([])
    assert math.isnan(result.mean)
    assert result.n == 0


def test_a_seed_that_misses_an_arm_is_dropped_and_listed() -> None:
    result = paired_difference([0.5, math.nan, 0.7, 0.9], [0.4, 0.5, math.nan, 0.7])
    assert result.dropped == (1, 2)
    assert result.n == 2
    assert result.mean == pytest.approx(0.15)


@given(arrays(float, (2, 6), elements=accuracies), st.permutations(range(6)))
def test_the_order_of_the_seeds_does_not_matter(arms: np.ndarray, order: list[int]) -> None:
    one, other = paired_difference(*arms), paired_difference(*arms[:, order])
    assert (one.mean, one.lower) == pytest.approx((other.mean, other.lower), abs=1e-12)


@given(arrays(float, (2, 5), elements=accuracies), st.floats(-5, 5))
def test_a_constant_added_to_both_arms_changes_no_difference(arms: np.ndarray, c: float) -> None:
    one, other = paired_difference(*arms), paired_difference(*(arms + c))
    assert (one.mean, one.upper) == pytest.approx((other.mean, other.upper), abs=1e-9)


@given(arrays(float, (2, 5), elements=accuracies))
def test_swapping_the_arms_mirrors_the_interval(arms: np.ndarray) -> None:
    one, other = paired_difference(*arms), paired_difference(*arms[::-1])
    assert (one.lower, one.upper) == pytest.approx((-other.upper, -other.lower), abs=1e-12)


def test_pairing_reports_correlation_and_variance_ratio() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 2]], size=20).T
    result = pairing(a, b)
    assert result.correlation == pytest.approx(stats.pearsonr(a, b).statistic)
    expected = np.var(a - b, ddof=1) / (np.var(a, ddof=1) + np.var(b, ddof=1))
    assert result.variance_ratio == pytest.approx(expected)


def test_two_seeds_say_nothing_about_pairing() -> None:
    assert math.isnan(pairing([1, 2], [1, 3]).correlation)


def test_an_arm_that_does_not_vary_has_no_correlation() -> None:
    result = pairing([0.5, 0.5, 0.5], [0.4, 0.5, 0.6])
    assert math.isnan(result.correlation)
    assert result.variance_ratio == pytest.approx(1)
    assert math.isnan(pairing([0.5] * 3, [0.4] * 3).variance_ratio)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([[1.0]]), "expected 1 axis, got shape"),
        (lambda: mean_interval([math.inf]), "a missing cell is NaN"),
        (lambda: mean_interval(["x"]), "expected numbers"),
        (lambda: mean_interval([1, 2], confidence=95), "between 0 and 1, got 95"),
        (lambda: paired_difference([1, 2], [1]), "two arms of one shape"),
    ],
)
def test_errors_say_what_was_expected(call, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()
