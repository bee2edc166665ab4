from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from augbench.errors import UsageError
from augbench.statistics import detectable_effect, seeds_for_power, sign_flip, sign_flip_power


@pytest.mark.parametrize(("effect", "n"), [(0.5, 12), (1, 11), (0.2, 200), (0, 17), (0.5, 34)])
def test_above_ten_seeds_power_is_the_noncentral_ts(effect: float, n: int) -> None:
    critical = stats.t.ppf(0.975, n - 1)
    t = stats.nct(n - 1, effect * math.sqrt(n))
    assert sign_flip_power(effect, n) == pytest.approx(t.sf(critical) + t.cdf(-critical), abs=1e-9)


@pytest.mark.parametrize(("effect", "n", "alpha"), [(1.4, 6, 0.05), (1.2, 8, 0.025), (1, 10, 0.05)])
def test_with_few_seeds_it_is_the_sign_flips_own(effect: float, n: int, alpha: float) -> None:
    delta = np.random.default_rng(99).normal(effect, 1, size=(3000, n))
    signs = np.array(list(itertools.product([1, -1], repeat=n)))
    p = [(np.abs(signs @ d) >= abs(d.sum()) - 1e-9).mean() for d in delta]
    found = (np.array(p) <= alpha + 1e-12).mean()
    assert p[0] == sign_flip(delta[0]).p
    assert sign_flip_power(effect, n, alpha=alpha) == pytest.approx(found, abs=0.05)


def test_where_the_t_test_has_eighty_per_cent_six_seeds_have_less() -> None:
    t = stats.nct(5, 1.435 * math.sqrt(6))
    critical = stats.t.ppf(0.975, 5)
    assert t.sf(critical) == pytest.approx(0.8, abs=0.001)
    assert sign_flip_power(1.435, 6) < 0.7


@pytest.mark.parametrize(("n", "alpha"), [(1, 0.05), (5, 0.05), (7, 0.01)])
def test_seeds_that_cannot_reach_a_level_have_no_power(n: int, alpha: float) -> None:
    assert sign_flip_power(1e3, n, alpha=alpha) == 0
    assert math.isnan(detectable_effect(n, alpha=alpha))


@pytest.mark.parametrize("n", [6, 8, 10, 11, 30, 300])
def test_the_detectable_effect_has_the_power(n: int) -> None:
    assert sign_flip_power(detectable_effect(n), n) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("effect", [0.2, 0.5, 0.75, 1, 1.5, 3])
def test_the_seeds_for_a_power_are_the_first_that_have_it(effect: float) -> None:
    n = seeds_for_power(effect)
    assert n is not None
    assert sign_flip_power(effect, n) >= 0.8 > sign_flip_power(effect, n - 1)


def test_huge_effects_take_the_least_seeds_and_tiny_ones_have_no_plan() -> None:
    assert sign_flip_power(1e6, 50) == 1
    assert seeds_for_power(1e6) == 6
    assert seeds_for_power(0.01) is None
    assert seeds_for_power(0) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: seeds_for_power(1, power=0.01), "power: expected"),
        (lambda: sign_flip_power(1, 5, alpha=0), "alpha: expected"),
        (lambda: sign_flip_power(math.inf, 5), "finite"),
    ],
)
def test_what_cannot_be_answered_is_refused(call, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()
