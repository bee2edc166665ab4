from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from augbench.errors import UsageError
from augbench.statistics import attainable_p, seeds_to_reach, sign_flip, step_down_max_t

hundredths = st.integers(-100, 100).map(lambda i: i / 100)


@pytest.mark.parametrize("n", [2, 5, 10, 16])
def test_the_exact_p_is_scipys_permutation_test(n: int) -> None:
    delta = np.random.default_rng(n).normal(0.3, 1, size=n)
    theirs = stats.permutation_test(
        (delta,),
        lambda x, axis: np.abs(x.sum(axis=axis)),
        permutation_type="samples",
        alternative="greater",
        n_resamples=np.inf,
        vectorized=True,
    )
    ours = sign_flip(delta)
    assert ours.exact
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-12)


def test_three_differences_by_hand() -> None:
    # |±1 ±2 ±4|: the sums 7, 5, 3, 1, each twice; 1 + 2 − 4 = −1 is exceeded or met by all
    assert sign_flip([1, 2, 4]).p == 2 / 8
    assert sign_flip([1, 2, -4]).p == 1.0
    assert sign_flip([-1, 2, 4]).p == 4 / 8


def test_round_off_breaks_no_tie() -> None:
    # 0.1 + 0.2 and 0.3 differ in binary; exactly they tie
    assert sign_flip([0.1, 0.2, -0.3]).p == 1.0
    assert sign_flip([0.3, 0.3, 0.1 + 0.2]).p == 2 / 8


def test_no_difference_at_all_gives_one() -> None:
    assert sign_flip([0.0, 0.0, 0.0]).p == 1.0


def test_without_pairs_there_is_no_p() -> None:
    result = sign_flip([math.nan, math.nan])
    assert math.isnan(result.p)
    assert result.dropped == (0, 1)


def test_unanimous_seeds_reach_the_attainable_p() -> None:
    for n in range(1, 17):
        assert sign_flip(np.arange(1, n + 1)).p == attainable_p(n) == 2.0 ** (1 - n)


def test_above_sixteen_seeds_p_is_sampled_and_near_the_exact() -> None:
    delta = np.random.default_rng(3).normal(0.4, 1, size=18)
    signs = 1.0 - 2 * ((np.arange(2**18)[:, None] >> np.arange(18)) & 1)
    exact = (np.abs(signs @ delta) >= abs(delta.sum()) - 1e-12).mean()
    result = sign_flip(delta)
    assert not result.exact
    assert result.draws == 99_999
    assert result.p == pytest.approx(exact, abs=5 * math.sqrt(exact / 99_999))
    assert result.p * 100_000 == pytest.approx(round(result.p * 100_000))  # (b + 1)/(B + 1)


def test_a_sampled_p_is_never_zero() -> None:
    assert sign_flip(np.ones(200), draws=99).p == 1 / 100


def test_the_seed_is_used_and_repeats() -> None:
    delta = np.random.default_rng(0).normal(0.3, 1, size=20)
    draws = [sign_flip(delta, seed=s, draws=499).p for s in (0, 0, 1, 2, 3)]
    assert draws[0] == draws[1]
    assert len(set(draws)) > 2


@given(arrays(float, 7, elements=hundredths), st.permutations(range(7)))
def test_neither_order_nor_sign_changes_p(delta: np.ndarray, order: list[int]) -> None:
    assert sign_flip(delta).p == sign_flip(delta[order]).p == sign_flip(-delta).p


def test_the_order_does_not_change_a_sampled_p() -> None:
    delta = np.random.default_rng(1).normal(0.4, 1, size=25)
    assert sign_flip(delta).p == sign_flip(delta[::-1]).p


@given(arrays(float, 6, elements=hundredths), st.floats(0.001, 1000))
def test_the_unit_does_not_change_p(delta: np.ndarray, factor: float) -> None:
    assert sign_flip(delta).p == sign_flip(delta * factor).p


def by_the_book(delta: np.ndarray) -> np.ndarray:
    """Step-down maxT as a closed test: each size's p is the greatest over sets that hold it."""
    n, count = delta.shape
    signs = np.array(list(itertools.product([1, -1], repeat=n)))
    t = np.abs(signs @ delta) / np.sqrt((delta**2).sum(axis=0))  # [2^n, K]
    adjusted = np.zeros(count)
    for size in range(1, count + 1):
        for subset in map(list, itertools.combinations(range(count), size)):
            p = (t[:, subset].max(axis=1) >= t[0, subset].max() - 1e-10).mean()
            adjusted[subset] = np.maximum(adjusted[subset], p)
    return adjusted


@pytest.mark.parametrize("seed", range(8))
def test_step_down_is_the_closed_test_with_the_greatest_t(seed: int) -> None:
    rng = np.random.default_rng(seed)
    delta = rng.normal(rng.normal(0, 1, size=4), rng.uniform(0.3, 2, size=4), size=(7, 4))
    assert step_down_max_t(delta) == pytest.approx(by_the_book(delta), abs=1e-12)


def test_the_greatest_t_is_the_paired_t() -> None:
    delta = np.random.default_rng(5).normal(0.5, [1, 5, 0.1], size=(6, 3))
    t = np.abs(stats.ttest_1samp(delta, 0).statistic)
    assert np.argsort(step_down_max_t(delta), kind="stable")[0] == np.argmax(t)


def test_one_size_is_the_plain_sign_flip() -> None:
    delta = np.random.default_rng(2).normal(0.5, 1, size=9)
    assert step_down_max_t(delta[:, None])[0] == sign_flip(delta).p


def test_step_down_is_never_below_the_plain_p() -> None:
    delta = np.random.default_rng(4).normal(0.5, 1, size=(8, 5))
    plain = [sign_flip(column).p for column in delta.T]
    assert (step_down_max_t(delta) >= np.array(plain) - 1e-12).all()


@settings(max_examples=30)
@given(arrays(float, (6, 3), elements=hundredths), st.permutations(range(6)))
def test_step_down_ignores_the_order_of_seeds(delta: np.ndarray, order: list[int]) -> None:
    assert step_down_max_t(delta).tolist() == step_down_max_t(delta[order]).tolist()


@settings(max_examples=30)
@given(arrays(float, (6, 3), elements=hundredths), st.permutations(range(3)))
def test_step_down_follows_the_order_of_sizes(delta: np.ndarray, order: list[int]) -> None:
    moved = step_down_max_t(delta[:, order])
    assert moved == pytest.approx(step_down_max_t(delta)[order], abs=1e-12)


def test_missing_cells_drop_out_of_their_own_size() -> None:
    delta = np.random.default_rng(7).normal(1, 1, size=(8, 3))
    delta[2, 1] = delta[3, :] = math.nan
    p = step_down_max_t(delta)
    assert np.isfinite(p).all()
    assert p[0] == pytest.approx(by_the_book(np.nan_to_num(np.delete(delta, 3, axis=0)))[0])
    delta[:, 2] = math.nan
    assert np.isnan(step_down_max_t(delta)).tolist() == [False, False, True]
    assert np.isnan(step_down_max_t(np.full((3, 2), math.nan))).all()


def test_a_size_without_differences_has_p_one() -> None:
    delta = np.column_stack([np.zeros(7), np.arange(1.0, 8.0)])
    assert step_down_max_t(delta).tolist() == [1.0, 2 / 2**7]


def test_sampled_step_down_agrees_with_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    delta = np.random.default_rng(6).normal(0.4, 1, size=(12, 3))
    exact = step_down_max_t(delta)
    monkeypatch.setattr("augbench.statistics.signflip.EXACT_SEEDS", 5)
    sampled = step_down_max_t(delta, seed=1)
    assert sampled.tolist() != exact.tolist()
    assert sampled == pytest.approx(exact, abs=0.01)


def test_seeds_to_reach_significance() -> None:
    assert [seeds_to_reach(alpha) for alpha in (0.5, 0.05, 0.01, 0.001)] == [2, 6, 8, 11]
    with pytest.raises(UsageError, match="below 1e-5"):
        seeds_to_reach(1e-7)
    with pytest.raises(UsageError, match="alpha: expected"):
        seeds_to_reach(0)


def test_the_attainable_p_of_a_sample_is_bounded_by_its_draws() -> None:
    assert attainable_p(17) == 2.0**-16
    assert attainable_p(40) == 1e-5
    assert math.isnan(attainable_p(0))


def test_draws_must_be_positive() -> None:
    with pytest.raises(UsageError, match="draws"):
        sign_flip(np.ones(20), draws=0)
