from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from augbench.errors import UsageError
from augbench.statistics import holm, holm_families

pvalues = st.floats(0, 1)


def holm_by_rejection(p: np.ndarray, alpha: float) -> np.ndarray:
    """Holm 1979 as he states it: walk up the sorted p-values until one fails."""
    rejected = np.zeros(len(p), dtype=bool)
    for step, index in enumerate(np.argsort(p)):
        if p[index] > alpha / (len(p) - step):
            break
        rejected[index] = True
    return rejected


def families_by_rejection(p: np.ndarray, alpha: float) -> np.ndarray:
    """Reject at alpha/(families not yet rejected entirely) until nothing changes."""
    rejected = np.zeros(p.shape, dtype=bool)
    while True:
        left = (~rejected.all(axis=1)).sum()
        now = rejected | (p <= alpha / left if left else False)
        if (now == rejected).all():
            return rejected
        rejected = now


def test_four_p_values_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(arrays(float, 5, elements=pvalues), st.sampled_from([0.01, 0.05, 0.2, 0.5]))
def test_adjusted_values_reject_what_holm_rejects(p: np.ndarray, alpha: float) -> None:
    p = np.round(p, 3)
    adjusted = holm(p)
    if (np.abs(adjusted - alpha) > 1e-9).all():  # not where round-off decides
        assert ((adjusted <= alpha) == holm_by_rejection(p, alpha)).all()


@given(arrays(float, 6, elements=pvalues))
def test_holm_keeps_the_order_and_never_lowers(p: np.ndarray) -> None:
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


@given(arrays(float, 5, elements=pvalues), st.integers(0, 4), st.floats(0, 1))
def test_holm_is_monotone(p: np.ndarray, i: int, factor: float) -> None:
    smaller = p.copy()
    smaller[i] *= factor
    assert (holm(smaller) <= holm(p) + 1e-15).all()


def test_a_test_that_was_not_made_is_not_counted() -> None:
    result = holm([0.02, math.nan, 0.03])
    assert result[[0, 2]] == pytest.approx([0.04, 0.04])
    assert math.isnan(result[1])
    assert np.isnan(holm([math.nan])).all()
    assert len(holm([])) == 0


@given(arrays(float, (3, 2), elements=pvalues), st.sampled_from([0.02, 0.05, 0.3]))
def test_families_reject_what_the_procedure_rejects(p: np.ndarray, alpha: float) -> None:
    p = np.round(p, 3)
    adjusted = holm_families(p)
    if (np.abs(adjusted - alpha) > 1e-9).all():
        assert ((adjusted <= alpha) == families_by_rejection(p, alpha)).all()


def test_a_family_with_one_rejection_still_counts_in_full() -> None:
    adjusted = holm_families([[0.001, 0.9], [0.03, 0.9]])
    assert adjusted[:, 0] == pytest.approx([0.002, 0.06])


def test_a_family_rejected_entirely_frees_its_share() -> None:
    adjusted = holm_families([[0.001, 0.002], [0.03, 0.9]])
    assert adjusted == pytest.approx(np.array([[0.002, 0.004], [0.03, 0.9]]))


def test_families_hold_the_error_that_the_short_cut_spends() -> None:
    """Two families; in each one size is certain and the other null, with uniform p."""
    rng = np.random.default_rng(0)
    ours = shortcut = 0
    for _ in range(4000):
        null = rng.random(2)
        p = np.array([[1e-9, null[0]], [1e-9, null[1]]])  # already adjusted within each row
        ours += (holm_families(p)[:, 1] <= 0.05).any()
        factor = np.array([2, 1])  # Holm on each family's least p: 2 for the first, 1 after it
        shortcut += (factor * null <= 0.05).any()
    assert ours / 4000 < 0.06 < shortcut / 4000


def test_missing_sizes_stay_missing() -> None:
    adjusted = holm_families([[0.01, math.nan], [math.nan, math.nan], [0.02, 0.5]])
    assert np.isnan(adjusted).tolist() == [[False, True], [True, True], [False, False]]
    assert adjusted[0, 0] == pytest.approx(0.02)


def test_the_order_of_families_does_not_matter() -> None:
    p = np.random.default_rng(1).random((4, 3)) ** 3
    for order in itertools.permutations(range(4)):
        assert holm_families(p[list(order)]) == pytest.approx(holm_families(p)[list(order)])


def test_values_that_are_no_p_values_are_refused() -> None:
    with pytest.raises(UsageError, match=r"numbers in \[0, 1\]"):
        holm([0.5, 1.5])
