"""One family of areas and sizes over all arms, tested together by sign flips of whole seeds."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from augbench.errors import UsageError
from augbench.statistics import attainable_p, family_test, sign_flip, step_down_max_t

hundredths = st.integers(-100, 100).map(lambda i: i / 100)


def by_rejection(delta: np.ndarray, groups: list[int], alpha: float) -> np.ndarray:
    """Reject the least tail share while it is among the alpha least of those still tested."""
    n, count = delta.shape
    signs = np.array(list(itertools.product([1, -1], repeat=n)))
    t = np.abs(signs @ delta) / np.sqrt((delta**2).sum(axis=0))  # [2^n, C]
    tail = np.empty_like(t)
    for j in range(count):
        mates = [k for k in range(count) if groups[k] == groups[j]]
        top = t[:, mates].max(axis=1)
        tail[:, j] = (top[None, :] >= t[:, [j]] - 1e-10).mean(axis=1)
    left, rejected = set(range(count)), np.zeros(count, dtype=bool)
    while left:
        j = min(left, key=lambda k: tail[0, k])
        if (tail[:, sorted(left)].min(axis=1) <= tail[0, j] + 1e-12).mean() > alpha + 1e-12:
            return rejected
        rejected[j] = True
        left.remove(j)
    return rejected


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_adjusted_values_reject_what_the_balanced_step_down_rejects(
    seed: int, alpha: float
) -> None:
    rng = np.random.default_rng(seed)
    groups = [0, 1, 1, 1, 0, 1]
    delta = rng.normal(rng.normal(0, 1.2, size=6), rng.uniform(0.3, 2, size=6), size=(7, 6))
    p = family_test(delta, groups).p
    assert ((p <= alpha + 1e-12) == by_rejection(delta, groups, alpha)).all()


def test_one_group_is_the_step_down_with_the_greatest_t() -> None:
    delta = np.random.default_rng(1).normal(0.5, 1, size=(8, 4))
    assert family_test(delta).p.tolist() == step_down_max_t(delta).tolist()


def test_eight_seeds_can_establish_an_effect_among_24_arms() -> None:
    """Holm over 24 areas could not: 24 · 2⁻⁷ > .05."""
    rng = np.random.default_rng(2)
    delta = rng.normal(size=(8, 24 * 8))
    delta[:, :8] = 3 + 0.3 * rng.normal(size=(8, 8))
    p = family_test(delta, ([0] + [1] * 7) * 24).p
    assert attainable_p(8) <= p[:8].max() <= 0.05
    assert (p[8:] > 0.05).all()


def test_a_group_weighs_the_same_however_many_columns_it_has() -> None:
    """The area's p is at most about doubled by a group of sizes; in one group it is worse."""
    rng = np.random.default_rng(3)
    balanced, plain, alone = [], [], []
    for _ in range(60):
        delta = np.column_stack([rng.normal(0.9, 1, 9), rng.normal(0, 1, (9, 40))])
        balanced.append(family_test(delta, [0] + [1] * 40).p[0])
        plain.append(family_test(delta).p[0])
        alone.append(sign_flip(delta[:, 0]).p)
    assert (np.array(balanced) <= 2 * np.array(alone) + 2**-7).all()
    assert np.mean(balanced) < np.mean(plain)


def test_the_level_is_the_share_of_flips_that_would_reach_significance() -> None:
    delta = np.random.default_rng(4).normal(size=(9, 5))
    groups = [0, 1, 1, 1, 1]
    levels = family_test(delta, groups, alpha=0.1).levels
    assert ((levels > 0) & (levels <= 0.1)).all()
    assert levels[0] > levels[1:].max()  # the area has half of the weight for itself
    # A column rejects at single step exactly where its own p is within its level.
    single = [
        sign_flip(column).p <= level + 1e-12 for column, level in zip(delta.T, levels, strict=True)
    ]
    first = family_test(delta, groups).p <= 0.1
    assert (~np.array(single) | first).all()


@settings(max_examples=30)
@given(arrays(float, (6, 4), elements=hundredths), st.permutations(range(6)))
def test_the_order_of_seeds_changes_nothing(delta: np.ndarray, order: list[int]) -> None:
    groups = [0, 1, 1, 0]
    one, other = family_test(delta, groups), family_test(delta[order], groups)
    assert one.p.tolist() == other.p.tolist()


def test_the_order_of_seeds_changes_no_sampled_p() -> None:
    delta = np.random.default_rng(5).normal(0.3, 1, size=(20, 3))
    order = np.random.default_rng(6).permutation(20)
    one, other = (family_test(d, [0, 1, 1], draws=999) for d in (delta, delta[order]))
    assert one.p.tolist() == other.p.tolist()


def test_a_column_without_pairs_is_no_test_and_changes_no_other() -> None:
    delta = np.random.default_rng(7).normal(0.5, 1, size=(8, 3))
    with_hole = np.column_stack([delta, np.full(8, math.nan)])
    p = family_test(with_hole, [0, 1, 1, 1]).p
    assert p[:3].tolist() == family_test(delta, [0, 1, 1]).p.tolist()
    assert math.isnan(p[3])
    assert np.isnan(family_test(np.full((3, 2), math.nan)).p).all()


def test_groups_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="groups: expected one for each of 2 columns, got 1"):
        family_test(np.zeros((3, 2)), [0])
