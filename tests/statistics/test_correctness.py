from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from augbench.errors import UsageError
from augbench.statistics import mean_interval, two_way_interval, unpack


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_unpacking_undoes_numpys_packing(correct: list[bool]) -> None:
    packed = np.packbits(correct).tobytes()
    assert unpack(packed, len(correct)).tolist() == correct


def test_the_first_image_is_the_highest_bit() -> None:
    assert unpack(b"\x80\x80", 9).tolist() == [True, *[False] * 7, True]


def test_a_length_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="expected 2 bytes for 9 images, got 1"):
        unpack(b"\x00", 9)


def bits(rng: np.random.Generator, n: int, images: int, seed_sd: float, image_sd: float):
    """Two arms of correctness, with effects of seeds and of images on their difference."""
    base = rng.normal(1, 1, images)
    seeds, hard = rng.normal(0, seed_sd, (n, 1)), rng.normal(0, image_sd, images)
    treated = base + 0.2 + seeds + hard + rng.normal(0, 1, (n, images)) > 0
    return treated, base + rng.normal(0, 1, (n, images)) > 0


def test_the_two_way_interval_has_the_mean_squares_of_anova() -> None:
    a, b = bits(np.random.default_rng(0), 5, 60, 0.1, 1.5)
    d = a.astype(float) - b
    rows, columns = d.mean(axis=1, keepdims=True), d.mean(axis=0, keepdims=True)
    ms_seed = 60 * ((rows - d.mean()) ** 2).sum() / 4
    ms_image = 5 * ((columns - d.mean()) ** 2).sum() / 59
    ms_rest = ((d - rows - columns + d.mean()) ** 2).sum() / (4 * 59)
    extra = max(0, ms_image - ms_rest)
    df = 4 * ((ms_seed + extra) / ms_seed) ** 2
    half = stats.t.ppf(0.975, df) * math.sqrt((ms_seed + extra) / 300)
    assert half > stats.t.ppf(0.975, 4) * math.sqrt(ms_seed / 300)  # else that would be used
    result = two_way_interval(a, b)
    assert (result.lower, result.upper) == pytest.approx((d.mean() - half, d.mean() + half))
    assert result.df == pytest.approx(df)


def test_it_is_never_narrower_than_the_t_interval_over_seeds() -> None:
    for seed in range(20):
        a, b = bits(np.random.default_rng(seed), 3, 50, 0.2, 0.5)
        both = two_way_interval(a, b)
        seeds = mean_interval(a.mean(axis=1) - b.mean(axis=1))
        assert both.upper - both.lower >= seeds.upper - seeds.lower - 1e-12
        assert both.df >= 2


def test_equal_arms_have_no_width() -> None:
    a = np.eye(3, 8)
    result = two_way_interval(a, a)
    assert (result.difference, result.lower, result.upper) == (0, 0, 0)


def test_one_seed_has_no_two_way_interval() -> None:
    a, b = bits(np.random.default_rng(0), 1, 30, 0, 0)
    assert math.isnan(two_way_interval(a, b).lower)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([[1, 0]], [[1]], "same images"),
        ([[2, 0]], [[1, 0]], "True or False"),
        ([True], [True], "expected 2 axes"),
        ([[]], [[]], "same images"),
    ],
)
def test_what_is_no_correctness_is_refused(a, b, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        two_way_interval(np.array(a), np.array(b))
