from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from augbench.statistics import spread


def test_it_is_the_test_of_the_correlation_of_sum_and_difference() -> None:
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 1, 12)
    a, b = luck + rng.normal(0, 0.3, 12), luck + rng.normal(0, 4, 12)
    result = spread(a, b)
    assert result.p == pytest.approx(stats.pearsonr(a + b, a - b).pvalue)
    assert result.ratio == pytest.approx(a.std(ddof=1) / b.std(ddof=1))
    assert result.welch_p == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)
    assert result.leaves_in_doubt(0.05)


def test_equal_variances_leave_a_doubt_at_most_one_time_in_twenty() -> None:
    rng = np.random.default_rng(1)
    luck = rng.normal(0, 1, (2000, 8, 1))
    arms = luck + rng.normal(0, 1, (2000, 8, 2))
    assert np.mean([spread(*one.T).leaves_in_doubt(0.05) for one in arms]) <= 0.06


def test_arms_that_vary_unalike_by_a_hair_leave_no_doubt() -> None:
    luck = np.linspace(0.3, 0.5, 8)
    result = spread(1.01 * luck, luck)
    assert result.p < 0.001
    assert not result.leaves_in_doubt(0.05)


def test_missing_cells_and_arms_that_do_not_vary_give_no_p() -> None:
    assert math.isnan(spread([0.1, 0.2], [0.1, 0.3]).p)
    assert math.isnan(spread([0.1, 0.1, 0.1], [0.1, 0.2, 0.3]).p)
    assert not spread([0.1, 0.1, 0.1], [0.1, 0.2, 0.3]).leaves_in_doubt(0.05)
    assert spread([0.1, 0.4, 0.2, math.nan], [0.3, 0.1, 0.2, 0.5]).n == 3


def test_a_gain_that_welchs_test_confirms_is_not_in_doubt() -> None:
    rng = np.random.default_rng(2)
    luck = rng.normal(0, 0.02, 10)
    wide, narrow = luck + rng.normal(0, 0.1, 10), luck + rng.normal(0, 0.01, 10)
    assert spread(narrow, wide).leaves_in_doubt(0.05)
    far = spread(narrow + 0.4, wide)
    assert far.p <= 0.05
    assert not far.leaves_in_doubt(0.05)
