from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from augbench.errors import UsageError
from augbench.statistics import clopper_pearson, probability_of_improvement


@pytest.mark.parametrize(("k", "n"), [(0, 5), (5, 5), (3, 10), (1, 1), (17, 40)])
def test_the_interval_is_scipys_exact_one(k: int, n: int) -> None:
    theirs = stats.binomtest(k, n).proportion_ci(0.9, method="exact")
    assert clopper_pearson(k, n, confidence=0.9) == pytest.approx((theirs.low, theirs.high))


def test_ties_count_half_and_leave_the_interval() -> None:
    result = probability_of_improvement([0.1, 0.2, 0.0, 0.1 + 0.2 - 0.3, -0.1])
    assert (result.wins, result.ties, result.losses, result.n) == (2, 2, 1, 5)
    assert result.probability == pytest.approx(0.6)
    theirs = stats.binomtest(2, 3).proportion_ci(0.95, method="exact")
    assert (result.lower, result.upper) == pytest.approx((theirs.low, theirs.high))


def test_only_ties_say_nothing() -> None:
    result = probability_of_improvement([0.0, 0.0])
    assert (result.probability, result.lower, result.upper) == (0.5, 0.0, 1.0)


def test_missing_pairs_are_dropped() -> None:
    result = probability_of_improvement([0.1, math.nan])
    assert result.dropped == (1,)
    assert result.probability == 1
    assert math.isnan(probability_of_improvement([math.nan]).probability)


def test_it_is_paired() -> None:
    # Every seed gains a little; compared across seeds the arms would look alike.
    baseline = np.array([0.1, 0.5, 0.9])
    assert probability_of_improvement(baseline + 0.01 - baseline).probability == 1


def test_more_successes_than_trials_are_refused() -> None:
    with pytest.raises(UsageError, match="got 4 of 3"):
        clopper_pearson(4, 3)
