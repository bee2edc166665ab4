from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from augbench.errors import UsageError
from augbench.statistics import holm

pvalues = st.floats(0, 1)


def holm_by_rejection(p: np.ndarray, alpha: float) -> np.ndarray:
    """Holm 1979 as he states it: walk up the sorted p-values until one fails."""
    rejected = np.zeros(len(p), dtype=bool)
    for step, index in enumerate(np.argsort(p)):
        if p[index] > alpha / (len(p) - step):
            break
        rejected[index] = True
    return rejected


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


def test_values_that_are_no_p_values_are_refused() -> None:
    with pytest.raises(UsageError, match=r"numbers in \[0, 1\]"):
        holm([0.5, 1.5])
