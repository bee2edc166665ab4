from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from augbench.errors import UsageError
from augbench.statistics import geometric_mean, label_multipliers

SIZES = (1, 2, 4, 8)
NOISE = np.array([[-0.01], [0.0], [0.01]])  # three seeds, each off by a constant


def straight(*heights: float) -> np.ndarray:
    return np.array([heights]) + NOISE  # [3, K]


BASE = straight(0.2, 0.4, 0.6, 0.8)


def on_a_grid(y: np.ndarray, curves: np.ndarray, knots: np.ndarray, confidence: float):
    """The interval by brute force: test every x on a fine grid, keep the hull."""
    x = np.linspace(knots[0], knots[-1], 20_001)
    gap = y[:, None] - np.array([np.interp(x, knots, curve) for curve in curves])
    half = stats.t.ppf((1 + confidence) / 2, len(y) - 1) * gap.std(axis=0, ddof=1)
    kept = x[np.abs(gap.mean(axis=0)) <= half / math.sqrt(len(y))]
    return (kept[0], kept[-1]) if len(kept) else None


def test_a_gain_of_one_doubling_is_a_multiplier_of_two() -> None:
    result = label_multipliers(
        BASE[:, 1:], BASE[:, :3], (1, 2, 4), ruler=BASE[:, 3:], ruler_sizes=(8,)
    )
    assert [m.value for m in result] == pytest.approx([2, 2, 2])
    assert [m.censored for m in result] == ["", "", ""]


def test_the_value_lies_between_sizes_on_the_log_axis() -> None:
    result = label_multipliers(straight(0.3, 0.4, 0.6, 0.8), BASE, SIZES)
    assert result[0].value == pytest.approx(2**0.5)


def test_the_baseline_against_itself_is_worth_one() -> None:
    for m in label_multipliers(BASE, BASE, SIZES):
        assert m.value == pytest.approx(1)
        assert m.censored == ""


def test_off_the_measured_sizes_it_is_censored_and_never_extrapolated() -> None:
    result = label_multipliers(straight(0.1, 0.1, 0.9, 0.9), BASE, SIZES)
    assert [m.censored for m in result] == ["below", "below", "above", "above"]
    assert [m.text for m in result] == ["< 1", "< 0.5", "> 2", "> 1"]
    assert [m.value for m in result] == [1, 0.5, 2, 1]


def test_a_ruler_lifts_the_censoring() -> None:
    better = straight(0.2, 0.4, 0.6, 0.9)
    assert label_multipliers(better, BASE, SIZES)[3].censored == "above"
    ruler = straight(1.0)
    m = label_multipliers(better, BASE, SIZES, ruler=ruler, ruler_sizes=(16,))[3]
    assert m.censored == ""
    assert m.value == pytest.approx(2**0.5)
    assert m.most == 2


def test_ruler_sizes_may_come_in_any_order() -> None:
    ruler = np.column_stack([straight(1.0), straight(0.9)])
    one = label_multipliers(BASE, BASE, SIZES, ruler=ruler, ruler_sizes=(32, 16))
    other = label_multipliers(BASE, BASE, SIZES, ruler=ruler[:, ::-1], ruler_sizes=(16, 32))
    assert one == other


@pytest.mark.parametrize("seed", range(12))
def test_the_interval_is_the_grids(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 8))
    base = np.linspace(0.3, 0.8, 5) + rng.normal(0, 0.05, (n, 1)) + rng.normal(0, 0.04, (n, 5))
    treated = base + 0.05 + rng.normal(0, 0.02, (n, 5))
    sizes, knots = (1, 2, 4, 8, 16), np.arange(5.0)
    for k, m in enumerate(label_multipliers(treated, base, sizes, confidence=0.9)):
        expected = on_a_grid(treated[:, k], base, knots, 0.9)
        if expected is None:  # apart from the baseline at every size
            assert (m.lower, m.upper) in ((m.most, math.inf), (0, m.least))
            continue
        estimate = math.log2(m.value * m.size)  # at an end of the knots where it is censored
        low, high = min(expected[0], estimate), max(expected[1], estimate)
        if m.lower == 0:
            assert low == knots[0]
        else:
            assert math.log2(m.lower * m.size) == pytest.approx(low, abs=3e-4)
        if math.isinf(m.upper):
            assert high == knots[-1]
        else:
            assert math.log2(m.upper * m.size) == pytest.approx(high, abs=3e-4)


def test_a_gain_beyond_every_size_is_bounded_below_only() -> None:
    rng = np.random.default_rng(0)
    m = label_multipliers(BASE + 0.7 + rng.normal(0, 0.001, BASE.shape), BASE, SIZES)[0]
    assert (m.lower, m.upper, m.censored) == (8, math.inf, "above")


def test_a_loss_below_every_size_is_bounded_above_only() -> None:
    rng = np.random.default_rng(0)
    m = label_multipliers(BASE - 0.7 + rng.normal(0, 0.001, BASE.shape), BASE, SIZES)[3]
    assert (m.lower, m.upper, m.censored) == (0, 1 / 8, "below")


def test_one_seed_has_a_value_and_no_interval() -> None:
    m = label_multipliers(BASE[:1] + 0.1, BASE[:1], SIZES)[0]
    assert m.value == pytest.approx(2**0.5)
    assert math.isnan(m.lower)
    assert math.isnan(m.upper)


def test_a_seed_without_its_whole_baseline_is_dropped() -> None:
    base, treated = BASE.copy(), BASE + 0.1
    base[0, 2] = treated[1, 0] = math.nan
    result = label_multipliers(treated, base, SIZES)
    assert [m.dropped for m in result] == [(0, 1), (0,), (0,), (0,)]
    assert [m.n for m in result] == [1, 2, 2, 2]


def test_a_baseline_size_that_nobody_has_is_left_out() -> None:
    base = BASE.copy()
    base[:, 1] = math.nan
    m = label_multipliers(BASE, base, SIZES)[1]
    assert m.value == pytest.approx(1)
    assert m.n == 3


def test_without_seeds_nothing_is_said() -> None:
    m = label_multipliers(np.full((2, 1), math.nan), np.full((2, 1), 0.5), (1,))[0]
    assert math.isnan(m.value)
    assert m.text == "–"
    assert label_multipliers(np.empty((0, 1)), np.empty((0, 1)), (1,))[0].n == 0


def test_a_single_size_can_only_be_censored() -> None:
    rng = np.random.default_rng(1)
    base = 0.5 + rng.normal(0, 0.01, (6, 1))
    better = base + 0.2 + rng.normal(0, 0.01, (6, 1))
    m = label_multipliers(better, base, (4,))[0]
    assert (m.text, m.lower, m.upper) == ("> 1", 1, math.inf)
    m = label_multipliers(base + rng.normal(0, 0.01, (6, 1)), base, (4,))[0]
    assert (m.lower, m.upper) == (0, math.inf)


def test_every_number_that_is_given_lies_in_its_interval_on_the_measured_side() -> None:
    rng = np.random.default_rng(0)
    given = 0
    for _ in range(100):
        base = rng.random(4) + rng.normal(0, 0.005, (5, 4))
        treated = rng.random(4) + rng.normal(0, 0.005, (5, 4))
        for k, m in enumerate(label_multipliers(treated, base, SIZES)):
            if m.withheld:
                assert math.isnan(m.value)
                assert math.isnan(m.lower)
                assert m.text == "–"
                continue
            given += 1
            assert m.lower <= m.value <= m.upper
            assert m.upper == math.inf or m.censored != "above"
            assert m.lower == 0 or m.censored != "below"
            mean = (treated - base)[:, k].mean()
            assert (m.value - 1) * mean >= -1e-9  # on the side of the difference
    assert given > 30


def test_where_the_baseline_falls_on_the_way_no_number_is_given() -> None:
    falling = straight(0.2, 0.6, 0.5, 0.8)
    inside = label_multipliers(straight(0.3, 0.55, 0.55, 0.75), falling, SIZES)
    reason = "the baseline's mean accuracy falls between 2 and 4"
    # From 1 the segment to 2 is read, whose height is pooled; from 8 the one that starts at 4.
    assert [m.withheld for m in inside] == [reason] * 4
    beyond = label_multipliers(straight(0.1, 0.1, 0.9, 0.85), falling, SIZES)
    assert [m.withheld for m in beyond] == ["", reason, reason, ""]


def test_an_arm_that_hurts_is_not_worth_labels_on_a_falling_baseline() -> None:
    falling = straight(0.5, 0.8, 0.7, 0.6)
    harmful = straight(0.4, 0.75, 0.65, 0.55)
    result = label_multipliers(harmful, falling, SIZES)
    assert not any(m.censored == "above" or m.value > 1 for m in result)


def test_an_end_is_open_where_the_far_size_is_rejected_on_the_other_side_only() -> None:
    """At 16 the arm is above a baseline that fell, which excludes no larger size."""
    falling = straight(0.2, 0.4, 0.55, 0.9, 0.3)
    arm = np.full((3, 5), 0.5)
    m = label_multipliers(arm, falling, (1, 2, 4, 8, 16))[0]
    assert m.value == pytest.approx(2 ** (1 + 0.1 / 0.15))
    assert (m.lower > 1, m.upper) == (True, math.inf)
    rising = straight(0.2, 0.4, 0.55, 0.9, 0.95)
    assert label_multipliers(arm, rising, (1, 2, 4, 8, 16))[0].upper < 16


def test_the_order_of_seeds_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    base = np.linspace(0.3, 0.7, 4) + rng.normal(0, 0.05, (6, 4))
    treated = base + rng.normal(0.03, 0.02, (6, 4))
    order = rng.permutation(6)
    one = label_multipliers(treated, base, SIZES)
    other = label_multipliers(treated[order], base[order], SIZES)
    for a, b in zip(one, other, strict=True):
        assert (a.value, a.lower, a.upper) == pytest.approx((b.value, b.lower, b.upper))


def test_a_reading_beside_a_fall_uses_the_isotonic_fit() -> None:
    base = np.array([[0.2, 0.1, 0.5, 0.7]])
    fit = optimize.isotonic_regression(base[0]).x  # 0.15, 0.15, 0.5, 0.7
    assert fit.tolist() == pytest.approx([0.15, 0.15, 0.5, 0.7])
    m = label_multipliers(np.full((1, 4), 0.6), base, SIZES)[2]
    assert m.value == pytest.approx(2**0.5)


def test_one_censored_side_makes_the_average_a_bound_at_the_limits() -> None:
    result = geometric_mean(label_multipliers(straight(0.3, 0.3, 0.9, 0.9), BASE, SIZES))
    # uncensored 2^.5 at 1, 2^-.5 at 2; more than 2 at 4, more than 1 at 8
    assert (result.uncensored, result.above, result.below) == (2, 2, 0)
    assert (result.bound, result.value) == ("at least", pytest.approx(2**0.25))
    result = geometric_mean(label_multipliers(straight(0.1, 0.3, 0.7, 0.7), BASE, SIZES))
    assert (result.bound, result.below) == ("at most", 1)


def test_both_censored_sides_or_a_withheld_size_leave_no_average() -> None:
    both = geometric_mean(label_multipliers(straight(0.3, 0.3, 0.9, 0.1), BASE, SIZES))
    assert (both.above, both.below) == (1, 1)
    assert math.isnan(both.value)
    multipliers = label_multipliers(BASE, BASE, SIZES)
    assert geometric_mean(multipliers).value == pytest.approx(1)
    withheld = (multipliers[0].without_number("so"), *multipliers[1:])
    assert math.isnan(geometric_mean(withheld).value)


def test_the_average_of_identical_arms_is_not_below_one() -> None:
    """On a saturating curve half of the sizes are censored above; left out, it came to 0.55."""
    rng = np.random.default_rng(5)
    curve = np.array([0.5, 0.7, 0.8, 0.82, 0.821, 0.822])
    sizes, left_out, values = (1, 2, 4, 8, 16, 32), [], []
    for _ in range(600):
        arms = [curve + rng.normal(0, 0.02, (8, 6)) for _ in range(2)]
        multipliers = label_multipliers(*arms, sizes)
        average = geometric_mean(multipliers)
        if average.bound == "at least":
            values.append(math.log(average.value))
            known = [math.log(m.value) for m in multipliers if not m.censored]
            left_out.append(np.mean(known) if known else 0.0)
    assert len(values) > 15
    assert np.mean(left_out) < np.mean(values)


def test_the_mean_of_nothing_is_nan() -> None:
    assert math.isnan(geometric_mean([]).value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ruler_sizes": (16,)}, "without the ruler's accuracies"),
        ({"ruler": BASE[:, :1], "ruler_sizes": (8,)}, "does not have already"),
        ({"ruler": BASE[:, :1], "ruler_sizes": (16, 32)}, "ruler: expected shape"),
    ],
)
def test_a_ruler_that_does_not_fit_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        label_multipliers(BASE, BASE, SIZES, **arguments)
