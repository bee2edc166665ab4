from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from augbench.errors import UsageError
from augbench.statistics import detectable_effect, paired_t_power, seeds_for_power


def test_seeds_for_eighty_per_cent() -> None:
    assert [seeds_for_power(effect) for effect in (1, 0.75, 0.5)] == [10, 16, 34]


@pytest.mark.parametrize(("effect", "n"), [(0.5, 10), (1, 3), (2, 2), (0.1, 200), (0, 7), (3, 5)])
def test_power_is_the_noncentral_t(effect: float, n: int) -> None:
    critical = stats.t.ppf(0.975, n - 1)
    t = stats.nct(n - 1, effect * math.sqrt(n))
    assert paired_t_power(effect, n) == pytest.approx(t.sf(critical) + t.cdf(-critical), abs=1e-9)


def test_power_matches_a_simulation() -> None:
    delta = np.random.default_rng(0).normal(0.8, 1, size=(20_000, 8))
    rejected = (stats.ttest_1samp(delta, 0, axis=1).pvalue <= 0.05).mean()
    assert paired_t_power(0.8, 8) == pytest.approx(rejected, abs=0.012)


def test_no_effect_is_found_as_often_as_alpha() -> None:
    assert paired_t_power(0, 9, alpha=0.01) == pytest.approx(0.01)


def test_one_seed_has_no_power() -> None:
    assert paired_t_power(5, 1) == 0
    assert math.isnan(detectable_effect(1))


def test_huge_effects_are_certain() -> None:
    assert paired_t_power(1e6, 5) == 1
    assert seeds_for_power(1e6) == 2


@pytest.mark.parametrize("n", [2, 3, 10, 300])
def test_the_detectable_effect_has_the_power(n: int) -> None:
    assert paired_t_power(detectable_effect(n), n) == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: seeds_for_power(0), "would need over"),
        (lambda: seeds_for_power(1, power=0.01), "power: expected"),
        (lambda: paired_t_power(1, 5, alpha=0), "alpha: expected"),
        (lambda: paired_t_power(math.inf, 5), "finite"),
    ],
)
def test_what_cannot_be_answered_is_refused(call, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()
