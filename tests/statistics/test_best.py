"""The set of best arms: exact, in whatever order, and with the best arm in it."""

from __future__ import annotations

import importlib.util
import itertools
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augbench.errors import UsageError
from augbench.statistics import analyse, aulc, best_arms, best_line, clopper_pearson, pairwise

SIZES = (1, 2, 4)
PATH = Path(__file__).parents[2] / "benchmarks" / "best_arms.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("best_arms_benchmark", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sim = load()


def by_definition(values: np.ndarray) -> np.ndarray:
    """p-values [arms] of scores [n, arms], sign vector by sign vector."""
    found = []
    for a in range(values.shape[1]):
        delta = np.nan_to_num(np.delete(values, a, axis=1) - values[:, [a]])
        scale = np.sqrt((delta**2).sum(axis=0))
        delta = delta[:, scale > 0] / scale[scale > 0]
        count = 0
        for signs in itertools.product([1, -1], repeat=len(delta)):
            flipped = max([0, *(np.array(signs) @ delta)])
            count += flipped >= max([0, *delta.sum(axis=0)]) - 1e-9
        found.append(count / 2 ** len(delta))
    return np.array(found)


def p_of(one) -> list[float]:
    return [candidate.p for candidate in one.candidates]


tables = st.integers(2, 5).flatmap(
    lambda arms: st.lists(
        st.lists(st.integers(0, 9) | st.just(math.nan), min_size=arms, max_size=arms),
        min_size=1,
        max_size=7,
    )
)
"""Scores of a few seeds and arms with many ties and holes."""


def arms_of(rows) -> dict[str, np.ndarray]:
    values = np.array(rows, float)
    return {"acbed"[k]: values[:, [k]] for k in range(values.shape[1])}


@given(rows=tables)
@settings(max_examples=60, deadline=None)
def test_p_is_that_of_all_sign_vectors_with_ties_and_missing_cells(rows) -> None:
    values = np.array(rows, float)
    (one,) = best_arms(arms_of(rows), (1,)).by_size
    there = ~np.isnan(values).all(axis=0)
    assert np.isnan(p_of(one)).tolist() == (~there).tolist()
    np.testing.assert_allclose(np.array(p_of(one))[there], by_definition(values)[there])


def test_sizes_and_the_area_are_tested_each_by_itself() -> None:
    rng = np.random.default_rng(1)
    scores = {name: rng.normal(0.5, 0.1, (6, 3)) for name in ("none", "a", "b")}
    found = best_arms(scores, SIZES)
    assert [one.size for one in (found.overall, *found.by_size)] == [None, *SIZES]
    columns = [np.column_stack([arm[:, k] for arm in scores.values()]) for k in range(3)]
    areas = np.column_stack([aulc(arm, SIZES) for arm in scores.values()])
    for one, values in zip((found.overall, *found.by_size), (areas, *columns), strict=True):
        np.testing.assert_allclose(p_of(one), by_definition(values))


@given(rows=tables, data=st.data())
@settings(max_examples=60, deadline=None)
def test_the_order_of_arms_and_of_seeds_changes_nothing(rows, data) -> None:
    arms = arms_of(rows)
    order = data.draw(st.permutations(list(arms)))
    seeds = data.draw(st.permutations(range(len(rows))))
    plain, other = (
        best_arms(given, (1,)).overall for given in (arms, {a: arms[a][seeds] for a in order})
    )
    told = [{c.augmentation: repr(c) for c in one.candidates} for one in (plain, other)]
    assert told[0] == told[1]


def test_the_order_of_arms_and_of_seeds_changes_nothing_where_signs_are_sampled() -> None:
    rng = np.random.default_rng(2)
    arms = {name: rng.normal(size=(20, 1)) for name in "cab"}
    plain = best_arms(arms, (1,), draws=999).overall
    other = best_arms({a: arms[a][::-1] for a in "abc"}, (1,), draws=999).overall
    assert set(plain.candidates) == set(other.candidates)


@given(rows=tables)
@settings(max_examples=60, deadline=None)
def test_an_arm_that_loses_every_seed_leaves_no_other_arm_out(rows) -> None:
    arms = {name: np.nan_to_num(arm) for name, arm in arms_of(rows).items()}
    before = best_arms(arms, (1,)).overall
    after = best_arms({**arms, "worst": np.full((len(rows), 1), -1.0)}, (1,)).overall
    assert set(before.best) <= set(after.best)


@given(rows=tables, factor=st.sampled_from([0.01, 3.0, 250.0]), shift=st.integers(-5, 5))
@settings(max_examples=40, deadline=None)
def test_another_unit_changes_nothing_and_a_negated_metric_is_one_where_lower_is_better(
    rows, factor, shift
) -> None:
    arms = arms_of(rows)
    plain = best_arms(arms, (1,)).overall
    scaled = {name: factor * (arm + shift) for name, arm in arms.items()}
    negated = {name: -arm for name, arm in arms.items()}
    np.testing.assert_array_equal(p_of(best_arms(scaled, (1,)).overall), p_of(plain))
    lower = best_arms(negated, (1,), lower_is_better=True).overall
    assert (lower.best, lower.left_out) == (plain.best, plain.left_out)


@given(rows=tables)
@settings(max_examples=60, deadline=None)
def test_the_set_is_never_empty_and_holds_the_highest_mean_of_complete_data(rows) -> None:
    found = best_arms(arms_of(rows), (1,)).overall
    assert found.best or all(math.isnan(p) for p in p_of(found))
    whole = {name: np.nan_to_num(arm) for name, arm in arms_of(rows).items()}
    means = {name: arm.mean() for name, arm in whole.items()}
    top = {name for name, mean in means.items() if mean >= max(means.values()) - 1e-9}
    assert top <= set(best_arms(whole, (1,)).overall.best)


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_least_number_of_seeds_excludes_and_one_fewer_does_not(alpha: float) -> None:
    needed = best_arms(ladder(2), (1,), alpha=alpha).seeds_needed
    assert needed == {0.05: 5, 0.01: 7}[alpha]
    enough, few = (best_arms(ladder(n), (1,), alpha=alpha).overall for n in (needed, needed - 1))
    assert (enough.best, enough.reachable) == (("a",), True)
    assert (few.best, few.left_out, few.reachable) == (("none", "a"), (), False)


def ladder(n: int) -> dict[str, np.ndarray]:
    y = np.linspace(0.3, 0.5, n)[:, None]
    return {"none": y, "a": y + 0.1}


def test_identical_arms_stay_together_and_one_seed_says_nothing() -> None:
    y = np.linspace(0.3, 0.5, 8)[:, None]
    found = best_arms({"none": y, "a": y + 0.1, "b": y + 0.1}, (1,)).overall
    assert found.best == ("a", "b")
    assert [(c.rival, c.p) for c in found.candidates[1:]] == [("", 1.0)] * 2
    assert found.candidates[0].rival in ("a", "b")
    assert found.candidates[0].p == 2**-8
    alone = best_arms({"none": y[:1], "a": y[:1] + 0.1}, (1,)).overall
    assert alone.best == ("none", "a")


def test_an_arm_is_left_out_only_with_failed_cells_missing_and_at_chance() -> None:
    y = np.linspace(0.5, 0.6, 8)[:, None]
    better = y + 0.1
    better[:2] = math.nan
    failed = {"a": np.isnan(better)}
    dropped, bounded = (
        best_arms({"none": y, "a": better}, (1,), failed=given, chance=0.1).overall
        for given in (None, failed)
    )
    assert dropped.best == ("a",)
    assert bounded.best == ("none", "a")
    no_score = best_arms({"none": y, "a": better}, (1,), failed=failed, chance=math.nan).overall
    assert no_score.best == ("a",)


def test_pairs_are_the_comparison_with_that_arm_as_the_baseline() -> None:
    rng = np.random.default_rng(3)
    scores = {name: rng.uniform(0.4, 0.6, (8, 3)) for name in ("none", "a", "b")}
    found = pairwise(scores, SIZES, "b")
    assert [one.augmentation for one in found] == ["none", "a"]
    # repr, since NaN is not equal to itself
    assert repr(found) == repr(analyse(scores, SIZES, baseline="b").comparisons)
    delta = scores["a"][:, 1] - scores["b"][:, 1]
    assert found[1].by_size[1].difference.mean == pytest.approx(delta.mean())


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"scores": {"a": [[1.0]]}}, "expected two arms or more"),
        ({"scores": {"a": [[1.0]], "b": [[1.0], [2.0]]}}, "the same seeds of every arm"),
        ({"scores": {"a": [[1.0, 2.0]], "b": [[1.0, 2.0]]}}, r"of \[seeds, 1\]"),
        ({"alpha": 0.0}, "alpha: expected a share"),
        ({"draws": 0}, "draws: expected at least 1"),
        ({"failed": {"c": [[True]]}}, "failed"),
    ],
)
def test_what_does_not_fit_is_one_line(change, error) -> None:
    given = {"scores": {"a": [[1.0]], "b": [[2.0]]}, "sizes": (1,), **change}
    with pytest.raises(UsageError, match=error):
        best_arms(given.pop("scores"), given.pop("sizes"), **given)
    with pytest.raises(UsageError, match="against: expected one of a"):
        pairwise({"a": [[1.0]]}, (1,), "b")


@pytest.mark.parametrize("noise", ["normal", "skewed", "tied"])
@pytest.mark.parametrize("truth", sim.TRUTHS)
def test_the_best_arm_is_in_the_set_as_often_as_claimed(truth: str, noise: str) -> None:
    studies = 300
    kept, out = sim.outcome(sim.TRUTHS[truth](4), 8, noise, studies)
    # Shares of tied best arms are at least as precise as those of one.
    assert clopper_pearson(round(kept * studies), studies, confidence=0.9999)[1] >= 0.95
    assert math.isnan(out) or out > 0.2


def curves(n: int = 8, holes: int = 0) -> dict[str, np.ndarray]:
    """`a` and `b` gain at 1, lose at 4; `c` always loses."""
    rng = np.random.default_rng(4)
    y = np.array([0.5, 0.6, 0.7]) + rng.normal(0, 0.05, (n, 1))
    gains = {"none": (0, 0, 0), "a": (0.1, 0.0, -0.1), "b": (0.1, 0, -0.1), "c": (-0.1,) * 3}
    arms = {name: y + gain + rng.normal(0, 0.01, (n, 3)) for name, gain in gains.items()}
    arms["none"][:holes, 0] = arms["c"][:holes, 0] = arms["a"][:holes, 0] = math.nan
    return arms


def test_the_line_joins_sizes_with_equal_sets_and_names_the_baseline() -> None:
    assert best_line(best_arms(curves(), SIZES), baseline="none") == (
        "Best arms, by samples per class: a or b at 1; the baseline none, a or b at 2 and on "
        "average over the sizes; the baseline none at 4."
    )


def test_the_line_says_where_and_how_many_seeds_are_missing() -> None:
    assert best_line(best_arms(curves(3), SIZES)) == (
        "With 3 seeds no arm can be told from the best: at least 5 are needed."
    )
    line = best_line(best_arms(curves(holes=5), SIZES))
    assert line.endswith(
        "too few seeds at 1 and on average over the sizes (at least 5 are needed)."
    )


def test_the_line_counts_arms_of_which_there_are_many() -> None:
    rng = np.random.default_rng(5)
    seeds = rng.permuted(np.tile(np.linspace(-0.1, 0.1, 8), (12, 1)), axis=1)  # equal means
    arms = {f"arm{k}": seeds[k][:, None] + (k > 5) for k in range(12)}
    few = {name: arms[name] for name in list(arms)[4:]}
    assert (
        best_line(best_arms(arms, (1,)))
        == "Best arms, by samples per class: any of 6 of 12 arms at 1."
    )
    assert best_line(best_arms(few, (1,))) == (
        "Best arms, by samples per class: any but arm4 and arm5 at 1."
    )
    same = {name: np.zeros((8, 1)) for name in "abc"}
    assert (
        best_line(best_arms(same, (1,)))
        == "Best arms, by samples per class: no arm can be left out at 1."
    )
