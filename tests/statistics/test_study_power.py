"""Power of a whole study: held to the family of tests that a report makes, on data of our own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from augbench.errors import UsageError
from augbench.statistics import (
    PairedNoise,
    all_pairs,
    analyse,
    aulc,
    family_test,
    paired_noise,
    seeds_to_reach,
    study_power,
    study_seeds,
)

SIZES = (1, 4, 16)


def noise_of(sd=(0.04, 0.02, 0.01), alike=0.5, between=0.5, seeds=8):
    k = len(sd)
    correlation = np.full((k, k), alike) + (1 - alike) * np.eye(k)
    return PairedNoise(SIZES[:k], correlation * np.outer(sd, sd), between, seeds, 2)


def family_of(delta, sizes):
    """Differences [n, arms, K] as a report tests them: each arm's area, then its sizes."""
    n, arms, k = delta.shape
    columns = np.concatenate([aulc(delta.reshape(-1, k), sizes).reshape(n, arms, 1), delta], axis=2)
    return family_test(columns.reshape(n, -1), ([0] + [1] * k) * arms).p.reshape(arms, 1 + k)


@pytest.mark.parametrize("arms", [1, 2, 24])
def test_significance_takes_six_seeds_however_many_arms(arms):
    rng = np.random.default_rng(arms)
    for n, reachable in ((5, False), (6, True)):
        delta = rng.normal(0, 1, size=(n, arms, 7))
        delta[:, 0] = 1.0  # the clearest effect that there is
        p = family_of(delta, (1, 2, 4, 8, 16, 32, 64))
        assert p.min() == 2.0 ** (1 - n)
        assert (p.min() <= 0.05) == reachable
    assert seeds_to_reach() == 6


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_fewer_seeds_reach_it_for_no_data(n, arms, seed):
    delta = np.random.default_rng(seed).normal(1, 1, size=(n, arms, 3))
    assert family_of(delta, SIZES).min() > 0.05
    noise = noise_of()
    assert study_power(noise, n, arms=arms, studies=3).power(1e3) == 0
    assert math.isnan(study_power(noise, n, arms=arms, studies=3).detectable())


@pytest.mark.parametrize(("arms", "n", "size"), [(1, 8, None), (5, 8, None), (3, 7, 4), (2, 12, 1)])
def test_the_power_is_that_of_the_reports_own_family_of_tests(arms, n, size):
    noise, studies = noise_of(), 100
    effect = study_power(noise, n, arms=arms, size=size, studies=200).detectable(0.6)
    place = slice(None) if size is None else SIZES.index(size)
    tested = 0 if size is None else 1 + SIZES.index(size)
    rng = np.random.default_rng(99)
    root = np.linalg.cholesky(noise.covariance).T * math.sqrt(0.5)
    established = 0
    for _ in range(studies):
        # Arms of half the variance each, on a baseline that has the other half.
        delta = rng.standard_normal((n, arms, 3)) @ root - rng.standard_normal((n, 1, 3)) @ root
        delta[:, 0, place] += effect
        established += family_of(delta, SIZES)[0, tested] <= 0.05
    assert established / studies == pytest.approx(0.6, abs=0.15)


def test_that_family_is_the_one_that_an_analysis_corrects_for():
    rng = np.random.default_rng(5)
    scores = {name: rng.uniform(0.4, 0.6, size=(8, 3)) for name in ("none", "a", "b")}
    scores["a"] += 0.3
    p = family_of(np.stack([scores[name] - scores["none"] for name in ("a", "b")], axis=1), SIZES)
    for row, one in zip(p, analyse(scores, SIZES).comparisons, strict=True):
        assert row.tolist() == [one.p_adjusted, *(size.p_adjusted for size in one.by_size)]


def test_more_arms_take_larger_effects_and_more_seeds_smaller_ones():
    noise = noise_of()
    by_arms = [study_power(noise, 8, arms=arms, studies=200).detectable() for arms in (1, 4, 16)]
    by_seeds = [study_power(noise, n, studies=200).detectable() for n in (6, 8, 12)]
    assert by_arms == sorted(by_arms)
    assert by_seeds == sorted(by_seeds, reverse=True)


def test_an_effect_in_units_of_the_noise_is_all_that_counts():
    once, twice = noise_of(), noise_of(sd=(0.08, 0.04, 0.02))
    assert study_power(twice, 8).detectable() == pytest.approx(
        2 * study_power(once, 8).detectable(), rel=1e-6
    )


@pytest.mark.parametrize(("effect", "arms"), [(0.06, 1), (0.04, 3), (0.03, 1)])
def test_the_seeds_are_the_first_that_have_the_power(effect, arms):
    noise = noise_of()
    n = study_seeds(noise, effect, arms=arms)
    assert n is not None
    assert study_power(noise, n, arms=arms).power(effect) >= 0.8
    assert study_power(noise, n - 1, arms=arms).power(effect) < 0.8


def test_many_seeds_are_near_what_students_t_takes():
    noise = PairedNoise((1,), np.array([[1.0]]), 0.5, 8, 1)
    for effect in (0.5, 0.25, 0.15):
        n = study_seeds(noise, effect)
        shift, critical = effect * math.sqrt(n), stats.t.ppf(0.975, n - 1)
        assert stats.nct(n - 1, shift).sf(critical) == pytest.approx(0.8, abs=0.06)
    assert study_seeds(noise, 0.05) is None


@pytest.mark.parametrize(
    "wrong",
    [
        lambda noise: study_power(noise, 8, arms=0),
        lambda noise: study_power(noise, 8, size=3),
        lambda noise: study_power(noise, 8, alpha=1.0),
        lambda noise: study_power(noise, 8).detectable(1.0),
        lambda noise: study_seeds(noise, 0.0),
        lambda noise: study_seeds(noise, math.nan),
    ],
)
def test_what_cannot_be_asked_is_refused(wrong):
    with pytest.raises(UsageError):
        wrong(noise_of())


def test_the_noise_of_a_pilot_is_the_mean_covariance_of_its_differences():
    rng = np.random.default_rng(1)
    scores = {name: rng.uniform(0.3, 0.7, size=(9, 3)) for name in ("none", "a", "b")}
    scores["b"][4, 1] = np.nan  # a seed that is not whole counts for nobody
    whole = np.delete(np.arange(9), 4)
    deltas = [(scores[name] - scores["none"])[whole] for name in ("a", "b")]
    found = paired_noise(scores, SIZES)
    expected = np.mean([np.cov(delta, rowvar=False) for delta in deltas], axis=0)
    np.testing.assert_allclose(found.covariance, expected)
    assert (found.seeds, found.arms, found.sizes) == (8, 2, SIZES)
    areas = np.array([np.var(aulc(delta, SIZES), ddof=1) for delta in deltas])
    assert found.sd_of_area == pytest.approx(math.sqrt(areas.mean()))


def test_arms_that_share_a_noisy_baseline_are_found_to_be_alike():
    rng = np.random.default_rng(2)
    noisy, quiet = rng.normal(0.5, 0.1, size=(200, 3)), rng.normal(0.5, 0.1, size=(3, 200, 3))
    shared = {"none": noisy, "a": quiet[0], "b": quiet[1], "c": quiet[2]}
    clipped = {name: np.clip(values, 0, 1) for name, values in shared.items()}
    assert paired_noise(clipped, SIZES).between_arms == pytest.approx(0.5, abs=0.08)
    own = {name: np.full((200, 3), 0.5) if name == "none" else v for name, v in clipped.items()}
    assert paired_noise(own, SIZES).between_arms == pytest.approx(0, abs=0.1)


def test_a_pilot_without_seeds_or_arms_is_refused():
    two = {"none": np.zeros((2, 3)), "a": np.ones((2, 3))}
    with pytest.raises(UsageError, match="2 seeds of the pilot have every size"):
        paired_noise(two, SIZES)
    with pytest.raises(UsageError, match="expected 'none' and an arm"):
        paired_noise({"a": np.ones((5, 3))}, SIZES)
    with pytest.raises(UsageError, match="the same seeds"):
        paired_noise({"none": np.zeros((5, 3)), "a": np.ones((4, 3))}, SIZES)


@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=6, unique=True).map(sorted),
    st.floats(0, 0.9),
)
def test_noise_at_other_sizes_lies_between_that_of_the_known_ones(sizes, alike):
    noise = noise_of(alike=alike)
    found = noise.at(sizes)
    assert found.sizes == tuple(sizes)
    assert (found.sd_by_size >= 0.01 - 1e-12).all()
    assert (found.sd_by_size <= 0.04 + 1e-12).all()
    for size, sd in zip(sizes, found.sd_by_size, strict=True):
        if size in SIZES:
            assert sd == pytest.approx(noise.sd_by_size[SIZES.index(size)])
    assert np.linalg.eigvalsh(found.covariance).min() > -1e-9


def test_a_pilot_says_how_uncertain_it_is():
    low, high = noise_of(seeds=4).uncertainty()
    chi2 = stats.chi2(3)
    assert low == pytest.approx(math.sqrt(3 / chi2.ppf(0.975)))
    assert high == pytest.approx(math.sqrt(3 / chi2.ppf(0.025)))


def test_all_pairs_are_one_family_of_areas():
    rng = np.random.default_rng(3)
    scores = {name: rng.uniform(0.4, 0.6, size=(8, 3)) for name in "abcd"}
    scores["d"] = np.clip(scores["a"] + 0.3 + rng.normal(0, 0.01, size=(8, 3)), 0, 1)
    found = all_pairs(scores, SIZES)
    names = [(row.first, row.second) for row in found]
    assert names == [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")]
    areas = {name: aulc(values, SIZES) for name, values in scores.items()}
    columns = np.column_stack([areas[a] - areas[b] for a, b in names])
    np.testing.assert_allclose([row.p for row in found], family_test(columns).p)
    against_d = next(row for row in found if row.second == "d" and row.first == "a")
    assert against_d.difference.mean == pytest.approx((areas["a"] - areas["d"]).mean())
    assert against_d.p <= 0.05


def test_of_equal_arms_a_pair_is_told_apart_in_one_study_of_twenty_at_most():
    rng, wrong = np.random.default_rng(4), 0
    for _ in range(200):
        luck = rng.normal(0.5, 0.05, size=(8, 1))
        scores = {name: luck + rng.normal(0, 0.02, size=(8, 1)) for name in "abcd"}
        scores["d"] = scores["d"] + 0.15  # one arm that differs costs the others nothing
        clipped = {name: np.clip(values, 0, 1) for name, values in scores.items()}
        found = all_pairs(clipped, (4,))
        wrong += any(row.p <= 0.05 for row in found if "d" not in (row.first, row.second))
    assert wrong / 200 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


def test_a_failed_cell_counts_at_chance_as_well():
    good = np.full((8, 1), 0.9) + np.linspace(0, 0.01, 8)[:, None]
    bad = np.full((8, 1), 0.5)
    failing = good.copy()
    failing[:4] = np.nan
    failed = {"good": np.isnan(failing)}
    plain = all_pairs({"bad": bad, "good": good}, (4,))
    lost = all_pairs({"bad": bad, "good": failing}, (4,), failed=failed, chance=0.1)
    assert plain[0].p <= 0.05 < lost[0].p
    with pytest.raises(UsageError):
        all_pairs({"bad": bad}, (4,))
    with pytest.raises(UsageError):
        all_pairs({"bad": bad, "good": good[:4]}, (4,))
