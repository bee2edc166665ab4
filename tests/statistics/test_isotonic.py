from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import optimize

from augbench.errors import UsageError
from augbench.statistics import first_reach, isotonic

curves = arrays(float, st.integers(1, 9), elements=st.floats(0, 1))


@given(curves)
def test_the_fit_is_scipys(values: np.ndarray) -> None:
    assert isotonic(values) == pytest.approx(optimize.isotonic_regression(values).x, abs=1e-12)


@given(curves)
def test_the_fit_never_falls_and_keeps_the_mean(values: np.ndarray) -> None:
    fit = isotonic(values)
    assert (np.diff(fit) >= 0).all()
    assert fit.mean() == pytest.approx(values.mean())


def test_violators_are_pooled_by_hand() -> None:
    assert isotonic([1, 3, 2, 4]).tolist() == [1, 2.5, 2.5, 4]
    assert isotonic([3, 2, 1]).tolist() == [2, 2, 2]
    assert len(isotonic([])) == 0


def test_the_height_is_reached_between_the_knots() -> None:
    assert first_reach(0.25, [0, 1, 2], [0.0, 0.5, 1.0]) == 0.5
    assert first_reach(0.75, [0, 1, 3], [0.0, 0.5, 1.0]) == 2.0


def test_a_plateau_is_reached_at_its_start() -> None:
    assert first_reach(0.5, [0, 1, 2, 3], [0.0, 0.5, 0.5, 1.0]) == 1.0
    assert first_reach(0.5, [0, 1, 2], [0.5, 0.5, 1.0]) == 0.0


def test_nothing_is_extrapolated() -> None:
    assert first_reach(1.01, [0, 1], [0.0, 1.0]) == math.inf
    assert first_reach(-0.01, [0, 1], [0.0, 1.0]) == -math.inf
    assert first_reach(0.1 + 0.2, [0, 1], [0.0, 0.3]) == 1.0  # round-off is not a gain


def test_a_falling_curve_and_missing_values_are_refused() -> None:
    with pytest.raises(UsageError, match="never falls"):
        first_reach(0.5, [0, 1], [1.0, 0.0])
    with pytest.raises(UsageError, match="missing"):
        isotonic([0.1, math.nan])
