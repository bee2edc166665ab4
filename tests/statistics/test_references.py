from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from augbench.errors import UsageError
from augbench.statistics import gap_closed


def test_half_the_gap_by_hand() -> None:
    assert gap_closed([0.6, 0.7], [0.5, 0.6], [0.7, 0.8]).share == pytest.approx(0.5)


def test_the_interval_holds_exactly_the_shares_that_the_t_test_keeps() -> None:
    rng = np.random.default_rng(0)
    gain, gap = rng.normal(0.05, 0.02, 8), rng.normal(0.2, 0.03, 8)
    base = rng.random(8)
    result = gap_closed(base + gain, base, base + gap)

    def p(share: float) -> float:
        return float(stats.ttest_1samp(gain - share * gap, 0).pvalue)

    assert p(result.lower) == pytest.approx(0.05)
    assert p(result.upper) == pytest.approx(0.05)
    assert p(result.share) == pytest.approx(1)
    assert result.lower < result.share < result.upper


def test_a_gap_that_is_not_established_bounds_nothing() -> None:
    result = gap_closed([0.6, 0.5, 0.6], [0.5, 0.5, 0.5], [0.4, 0.9, 0.6])
    assert (result.lower, result.upper) == (-math.inf, math.inf)
    assert math.isfinite(result.share)


def test_a_ceiling_below_the_baseline_leaves_no_share() -> None:
    result = gap_closed([0.6, 0.6], [0.5, 0.5], [0.4, 0.5])
    assert math.isnan(result.share)


def test_one_seed_has_no_interval_and_missing_seeds_are_dropped() -> None:
    result = gap_closed([0.6, math.nan, 0.6], [0.5, 0.5, 0.5], [0.7, 0.7, math.nan])
    assert (result.n, result.dropped) == (1, (1, 2))
    assert result.share == pytest.approx(0.5)
    assert math.isnan(result.lower)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(UsageError, match=r"one value a seed in each, got \[1, 2\]"):
        gap_closed([0.5], [0.5, 0.6], [0.5, 0.6])
