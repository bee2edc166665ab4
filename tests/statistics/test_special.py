from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from augbench.statistics import detectable_effect, paired_t_power
from augbench.statistics._special import (
    beta_quantile,
    binomial_cdf,
    noncentral_t_cdf,
    t_quantile,
)

DF = (1, 1.37, 2, 3, 4, 7, 10.7, 30, 99.5, 1e3, 12345.6, 1e5, 1e6)


@pytest.mark.parametrize("df", DF)
def test_t_quantiles_are_scipys(df: float) -> None:
    for confidence in (0.05, 0.3, 0.5, 0.682, 0.8, 0.9, 0.95, 0.99, 0.999, 1 - 1e-6, 1 - 1e-9):
        expected = stats.t.isf((1 - confidence) / 2, df)
        assert t_quantile(df, confidence) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("df", DF)
def test_t_quantiles_of_little_confidence_keep_their_digits(df: float) -> None:
    for confidence in (1e-12, 1e-6, 1e-3):
        square = df * special.betaincinv(0.5, df / 2, confidence)
        square /= special.betainccinv(df / 2, 0.5, confidence)
        assert t_quantile(df, confidence) == pytest.approx(math.sqrt(square), rel=1e-12)


@given(st.floats(1, 1e6), st.floats(0.01, 0.9999))
def test_any_t_quantile_is_scipys(df: float, confidence: float) -> None:
    expected = stats.t.isf((1 - confidence) / 2, df)
    assert t_quantile(df, confidence) == pytest.approx(expected, rel=1e-12)


def test_t_quantiles_at_the_ends() -> None:
    assert t_quantile(5, 0.0) == 0
    assert t_quantile(5, 1.0) == math.inf
    assert 0 <= t_quantile(5, 1e-250) < 1e-70
    assert t_quantile(1, 1 - 2**-53) == pytest.approx(2**54 / math.pi)


def test_t_quantiles_with_one_and_two_degrees_are_elementary() -> None:
    for c in (0.1, 0.5, 0.95, 0.999):
        assert t_quantile(1, c) == pytest.approx(math.tan(math.pi * c / 2), rel=1e-12)
        assert t_quantile(2, c) == pytest.approx(c * math.sqrt(2 / (1 - c * c)), rel=1e-12)


# Far in the tails of a narrow distribution SciPy's own error is 1e-11.
@pytest.mark.parametrize("a", [0.5, 1, 2, 5, 10, 100, 1000, 1e5])
@pytest.mark.parametrize("b", [0.5, 1, 3, 8, 33, 1000, 1e5])
def test_beta_quantiles_are_scipys(a: float, b: float) -> None:
    for p in (1e-12, 1e-6, 0.005, 0.025, 0.3, 0.5, 0.8, 0.975, 0.995, 1 - 1e-6):
        x = beta_quantile(a, b, p)
        assert x == pytest.approx(special.betaincinv(a, b, p), rel=1e-10)
        if 0.001 < p < 0.999:
            assert x == pytest.approx(special.betaincinv(a, b, p), rel=1e-12)


@given(st.integers(1, 40), st.integers(1, 40), st.floats(1e-6, 1 - 1e-6))
def test_beta_quantiles_are_right_to_a_few_last_digits(a: int, b: int, p: float) -> None:
    n = a + b - 1

    def cdf(x: Fraction) -> Fraction:  # exact, as the chance of a binomial variable
        return sum(math.comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a, n + 1))

    x = Fraction(beta_quantile(a, b, p))
    slack = Fraction(1, 10**14) * x + Fraction(1, 2**52) * (1 - x)
    assert cdf(max(x - slack, Fraction(0))) < p < cdf(min(x + slack, Fraction(1)))


@settings(max_examples=300)
@given(st.floats(-0.3, 6), st.floats(-0.3, 6), st.floats(1e-60, 1))
def test_beta_quantiles_invert_scipys_distribution(log_a: float, log_b: float, p: float) -> None:
    a, b = 10**log_a, 10**log_b
    x = beta_quantile(a, b, p)
    slack = 1e-12 * x + 2.0**-52  # the latter is as near to 1 as a number can be
    assert special.betainc(a, b, max(x - slack, 0)) <= p * (1 + 1e-9)
    assert special.betainc(a, b, min(x + slack, 1)) >= p * (1 - 1e-9)


def test_beta_quantiles_at_the_ends() -> None:
    assert beta_quantile(2, 3, 0.0) == 0
    assert beta_quantile(2, 3, 1.0) == 1


@given(st.integers(1, 1000).flatmap(lambda n: st.tuples(st.integers(-1, n + 1), st.just(n))))
def test_binomial_chances_are_rounded_once(case: tuple[int, int]) -> None:
    k, n = case
    assert binomial_cdf(k, n) == sum(math.comb(n, i) for i in range(k + 1)) / 2**n


@pytest.mark.parametrize("n", [1001, 1234, 5000, 20_000])
def test_binomial_chances_of_many_trials(n: int) -> None:
    for k in (n // 2 - 5 * math.isqrt(n), n // 2 - math.isqrt(n), n // 2, n // 2 + 40, n - 1, n):
        ways = total = 1
        for i in range(1, k + 1):
            ways = ways * (n - i + 1) // i
            total += ways
        assert binomial_cdf(k, n) == pytest.approx(total / 2**n, rel=1e-12)


def test_binomial_chances_of_very_many_trials_are_scipys() -> None:
    for k in (149_000, 149_900, 150_000, 150_300):
        assert binomial_cdf(k, 300_000) == pytest.approx(special.bdtr(k, 300_000, 0.5), rel=1e-9)


def by_quadrature(t: float, df: float, noncentrality: float) -> float:
    """The mean of Φ(t·S − δ) by adaptive quadrature over r = S − 1, the density left unscaled.

    Without its constant, whose logarithm has lost nine digits where df is 1e6.
    """
    if t == 0:
        return float(special.ndtr(-noncentrality))

    def density(r: float) -> float:
        return math.exp(df * (math.log1p(r) - r - r * r / 2) - math.log1p(r))

    def weighted(r: float) -> float:
        return density(r) * float(special.ndtr(t * (1 + r) - noncentrality))

    low, high = max(-1.0, -8 / math.sqrt(df)), 8 / math.sqrt(df)
    cuts = {low, high, *np.linspace(low, high, 7)[1:-1]}
    cuts |= {low + high * 4.0**-k for k in range(1, 6)}  # a power of 1 + r begins there
    steps = ((noncentrality + z) / t - 1 for z in (-8, -3, 0, 3, 8))
    pieces = list(pairwise(sorted({*cuts, *(s for s in steps if low < s < high)})))
    above, below = (
        sum(integrate.quad(f, *piece, epsabs=1e-16, epsrel=1e-9)[0] for piece in pieces)
        for f in (weighted, density)
    )
    return above / below


SHIFTS = (0.0, 1e-3, 0.7, 2.5, 5.0, 8.5, 20.0, 37.5, 100.0, 1e4, 1e6)


@pytest.mark.parametrize("df", [1, 1.5, 2, 4, 9, 49, 999.5, 1e4, 1e6])
def test_the_noncentral_t_is_its_integral(df: float) -> None:
    for shift in SHIFTS:
        near = shift * (1 + 0.8 / math.sqrt(2 * df))  # where the chance is neither 0 nor 1
        for t in (-2.2, 0.0, 1e-8, 0.5, 4.3, 12.7, shift, near, 3 * shift):
            assert noncentral_t_cdf(t, df, shift) == pytest.approx(
                by_quadrature(t, df, shift), abs=1e-10
            )


@pytest.mark.parametrize("df", [1, 2, 3, 7, 19, 99, 1000])
def test_the_noncentral_t_is_scipys_where_that_is_sound(df: float) -> None:
    for shift in (0.3, 1.0, 2.5, 5.0, 10.0, 25.0):
        for t in (0.5, 2.2, 4.3, 12.7, 30.0):
            expected = stats.nct.cdf(t, df, shift)
            assert noncentral_t_cdf(t, df, shift) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("df", DF)
def test_without_a_shift_it_is_students_t(df: float) -> None:
    for t in (-40.0, -3.0, -0.1, 0.0, 0.02, 1.0, 2.5, 12.0, 1e4):
        assert noncentral_t_cdf(t, df, 0.0) == pytest.approx(stats.t.cdf(t, df), abs=1e-11)


@settings(max_examples=300)
@given(st.floats(-1e6, 1e6), st.floats(1, 1e6), st.floats(0, 1e6))
def test_the_noncentral_t_is_a_distribution(t: float, df: float, shift: float) -> None:
    here = noncentral_t_cdf(t, df, shift)
    assert 0 <= here <= 1
    assert here <= noncentral_t_cdf(t + abs(t) / 100 + 0.1, df, shift) + 1e-11
    assert here + noncentral_t_cdf(-t, df, -shift) == pytest.approx(1, abs=1e-11)


def test_the_noncentral_t_at_the_ends() -> None:
    assert noncentral_t_cdf(math.inf, 4, 3.0) == 1
    assert noncentral_t_cdf(-math.inf, 4, 3.0) == 0
    assert noncentral_t_cdf(1e300, 4, 3.0) == pytest.approx(1, abs=1e-12)
    assert noncentral_t_cdf(2.5, 4, 1e300) == 0


@given(st.floats(0, 1e6), st.integers(2, 1_000_000))
def test_power_is_a_share(effect: float, n: int) -> None:
    assert 0 <= paired_t_power(effect, n) <= 1


def test_what_a_study_can_detect_with_many_seeds_is_the_normal_approximation() -> None:
    quantiles = stats.norm.ppf([0.975, 0.8]).sum()
    assert detectable_effect(100_000) == pytest.approx(quantiles / math.sqrt(1e5), rel=1e-4)
