from __future__ import annotations

import math

import numpy as np
import pytest

from augbench.errors import UsageError
from augbench.statistics import aulc


def test_seven_sizes_follow_the_trapezoid_rule() -> None:
    y = np.arange(7.0) ** 2
    expected = (y[0] / 2 + y[1:6].sum() + y[6] / 2) / 6
    assert aulc([y], (1, 2, 4, 8, 16, 32, 64)) == pytest.approx([expected])


def test_uneven_sizes_are_weighted_by_their_distance_on_the_log_axis() -> None:
    # x = 0, 1, 3: (1·(0 + 1)/2 + 2·(1 + 1)/2)/3
    assert aulc([[0, 1, 1]], (1, 2, 8)) == pytest.approx([2.5 / 3])
    rng = np.random.default_rng(0)
    y, x = rng.random((4, 5)), np.log2([1, 3, 7, 20, 100])
    trapezoids = (y[:, 1:] + y[:, :-1]) / 2 * np.diff(x)
    assert aulc(y, (1, 3, 7, 20, 100)) == pytest.approx(trapezoids.sum(axis=1) / (x[-1] - x[0]))


def test_a_flat_curve_has_its_own_height() -> None:
    assert aulc([[0.3, 0.3, 0.3]], (1, 4, 10)) == pytest.approx([0.3])


def test_a_single_size_is_its_own_area() -> None:
    assert aulc([[0.3], [0.4]], (4,)).tolist() == [0.3, 0.4]


def test_a_curve_with_a_missing_cell_has_no_area() -> None:
    areas = aulc([[0.1, math.nan], [0.1, 0.2]], (1, 2))
    assert math.isnan(areas[0])
    assert areas[1] == pytest.approx(0.15)


@pytest.mark.parametrize("sizes", [(1,), (2, 1), (0, 1), (1, 1), (1, 2, 3)])
def test_sizes_must_be_positive_increasing_and_fit(sizes: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="sizes: expected"):
        aulc([[0.1, 0.2]], sizes)
