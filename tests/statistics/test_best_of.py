"""The expected best of k trials, and what a parameter did."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from augbench.errors import UsageError
from augbench.statistics import best_of, sensitivity

scores = st.lists(st.integers(0, 10), min_size=1, max_size=7).map(lambda v: np.array(v) / 10)


@given(scores)
def test_it_is_the_mean_over_all_sets_of_k_trials(v):
    expected = [
        np.mean([max(some) for some in itertools.combinations(v, k)]) for k in range(1, len(v) + 1)
    ]
    assert np.allclose(best_of(v[None], default_first=False), expected)


@given(scores)
def test_with_the_defaults_first_it_is_the_mean_over_orders_of_the_others(v):
    expected = [
        np.mean([max(v[0], *some) for some in itertools.combinations(v[1:], k)]) if k else v[0]
        for k in range(len(v))
    ]
    assert np.allclose(best_of(v[None]), expected)


@given(scores, st.booleans())
def test_more_trials_are_never_worse_and_all_of_them_are_the_best(v, first):
    curve = best_of(v[None], default_first=first)
    assert (np.diff(curve) >= -1e-12).all()
    assert curve[-1] == pytest.approx(v.max())


def test_it_is_unbiased_for_independent_trials_where_drawing_with_replacement_is_not():
    rng, n, k = np.random.default_rng(0), 8, 6
    truth = k / (k + 1)  # the expected best of k uniform numbers
    ours, theirs = [], []
    for _ in range(4000):
        v = np.sort(rng.random(n))
        ours.append(best_of(v[None], default_first=False)[k - 1])
        upto = (np.arange(1, n + 1) / n) ** k
        theirs.append(v @ np.diff(np.concatenate([[0], upto])))
    error = np.std(ours) / math.sqrt(len(ours))
    assert abs(np.mean(ours) - truth) < 3 * error
    assert truth - np.mean(theirs) > 10 * error


def test_seeds_are_averaged_and_incomplete_trials_left_out():
    table = [[0.2, 0.9, math.nan, 0.4], [0.4, 0.1, 0.9, 0.8]]
    assert np.allclose(best_of(table), [0.3, (0.5 + 0.6) / 2, 0.6])
    assert np.allclose(best_of([[math.nan, 0.2, 0.4]]), [0.3, 0.4])


def test_200_trials_are_no_problem():
    curve = best_of(np.linspace(0, 1, 200)[None])
    assert np.isfinite(curve).all()
    assert curve[0] == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=12))
def test_the_correlation_is_spearmans(pairs):
    x, y = np.array(pairs, dtype=float).T
    found = sensitivity(x, y[None] / 5)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(found.correlation)
    else:
        assert found.correlation == pytest.approx(spearmanr(x, y).statistic)


def test_thirds_show_a_peak_that_a_correlation_does_not():
    x = np.linspace(0, 1, 9)
    found = sensitivity(x[::-1], (0.8 - (x - 0.5) ** 2)[None])
    assert found.values == tuple(x)
    assert found.correlation == pytest.approx(0)
    low, middle, high = found.thirds
    assert low == pytest.approx(high)
    assert found.spread == pytest.approx(middle - low)


def test_trials_without_a_value_or_a_seed_are_left_out():
    found = sensitivity([1, math.nan, 3, 4], [[0.1, 0.2, 0.3, math.nan]])
    assert (found.values, found.scores) == ((1, 3), (0.1, 0.3))
    assert math.isnan(found.correlation)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: best_of([0.5, 0.6]), "2 axes"),
        (lambda: best_of([[math.nan]]), "a trial with a score for every seed"),
        (lambda: best_of(np.empty((0, 3))), "a seed and a trial at least"),
        (lambda: sensitivity([1, 2], [[0.5]]), "expected one for each of 1 trials, got 2"),
    ],
)
def test_what_has_no_scores_is_one_clear_line(call, message):
    with pytest.raises(UsageError, match=message):
        call()
