"""Interactions: two differences are compared with each other, seed by seed."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from augbench.errors import UsageError
from augbench.statistics import (
    aulc,
    budget_remark,
    changed_by_budgets,
    family_test,
    interactions,
    unchanged_by_budgets,
)

SIZES = (1, 2, 4)
SHORT, LONG = "500 steps", "2,000 steps"


def study(n: int = 8, change=(0.0, 0.0, 0.1), *, arms=("a",), seed: int = 0):
    """Accuracies under two budgets; `a` costs 2 points, and `change` more under the short one."""
    rng = np.random.default_rng(seed)
    luck = rng.normal(0, 0.03, (n, 1))

    def cells(mean):
        return np.asarray(mean) + luck + rng.normal(0, 0.005, (n, 3))

    base = np.array([0.5, 0.6, 0.7])
    scores = {SHORT: {"none": cells(base - 0.05)}, LONG: {"none": cells(base)}}
    for name in arms:
        scores[SHORT][name] = cells(base - 0.07 - np.asarray(change))
        scores[LONG][name] = cells(base - 0.02)
    return scores


def change_of(scores, name="a"):
    delta = {c: arms[name] - arms["none"] for c, arms in scores.items()}
    return delta[LONG] - delta[SHORT]


def test_the_change_is_the_difference_of_the_differences_with_its_paired_interval() -> None:
    scores = study()
    area, *rows = interactions(scores, SIZES)
    assert [one.size for one in (area, *rows)] == [None, 1, 2, 4]
    columns = np.column_stack([aulc(change_of(scores), SIZES), change_of(scores)])
    for one, column in zip((area, *rows), columns.T, strict=True):
        low, high = stats.t.interval(0.95, 7, column.mean(), stats.sem(column))
        assert (one.change.mean, one.change.lower, one.change.upper) == pytest.approx(
            (column.mean(), low, high)
        )
        assert one.at_second.mean - one.at_first.mean == pytest.approx(one.change.mean)
        flips = np.array(list(product([1, -1], repeat=8))) @ column
        assert one.test.p == np.mean(abs(flips) >= abs(column.sum()) - 1e-12)
    assert rows[2].at_first.mean == pytest.approx(-0.12, abs=0.01)


def test_all_augmentations_and_conditions_are_one_family() -> None:
    scores = study(arms=("a", "b"))
    scores = {"100 steps": study(arms=("a", "b"), seed=1)[SHORT], **scores}
    found = interactions(scores, SIZES)
    assert [(one.first, one.augmentation) for one in found[::4]] == [
        ("100 steps", "a"),
        ("100 steps", "b"),
        (SHORT, "a"),
        (SHORT, "b"),
    ]
    changes = []
    for first, name in ((c, a) for c in ("100 steps", SHORT) for a in ("a", "b")):
        d = (scores[LONG][name] - scores[LONG]["none"]) - (
            scores[first][name] - scores[first]["none"]
        )
        changes.append(np.column_stack([aulc(d, SIZES), d]))
    expected = family_test(np.hstack(changes), [0, 1, 1, 1] * 4).p
    assert [one.p_adjusted for one in found] == expected.tolist()


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(-0.1, 0.1), st.floats(-0.1, 0.1))
def test_what_moves_both_arms_of_a_budget_alike_changes_nothing(seed, short, long) -> None:
    scores = study(seed=seed)
    moved = {
        c: {name: arm + shift for name, arm in scores[c].items()}
        for c, shift in ((SHORT, short), (LONG, long))
    }
    for one, other in zip(interactions(scores, SIZES), interactions(moved, SIZES), strict=True):
        assert one.change.mean == pytest.approx(other.change.mean, abs=1e-9)
        assert one.p_adjusted == other.p_adjusted


def test_a_seed_counts_only_with_all_four_cells() -> None:
    scores = study()
    scores[SHORT]["none"][3, 1] = math.nan
    area, first, second, third = interactions(scores, SIZES)
    assert [one.change.n for one in (area, first, second, third)] == [7, 8, 7, 8]
    kept = np.delete(change_of(scores)[:, 1], 3)
    assert second.change.mean == pytest.approx(kept.mean())
    assert second.at_first.n == second.at_second.n == 7


def test_a_claim_must_hold_with_failures_at_chance_as_well() -> None:
    scores = study(n=9)
    scores[SHORT]["a"][2, 2] = math.nan
    failed = np.zeros((9, 3), dtype=bool)
    failed[2, 2] = True
    dropped = interactions(scores, SIZES, chance=0.1)
    bounded = interactions(scores, SIZES, failed={SHORT: {"a": failed}}, chance=0.9)
    assert dropped[3].p_adjusted <= 0.05 < bounded[3].p_adjusted
    assert dropped[3].change == bounded[3].change


def test_one_size_has_no_area_and_one_condition_nothing_to_compare() -> None:
    scores = study()
    single = {c: {name: arm[:, 2:] for name, arm in arms.items()} for c, arms in scores.items()}
    assert [one.size for one in interactions(single, (4,))] == [4]
    assert interactions({LONG: scores[LONG]}, SIZES) == ()
    assert interactions(scores, SIZES, baseline="other") == ()


def test_conditions_of_other_arms_are_one_clear_line() -> None:
    scores = study()
    del scores[SHORT]["a"]
    with pytest.raises(UsageError, match=r"scores\['500 steps'\]: expected the arms"):
        interactions(scores, SIZES)


def test_an_established_change_is_said_with_both_differences_and_its_interval() -> None:
    scores = study(change=(0.0, 0.0, 0.172))
    found = interactions({c: {k: v[:, 2:] for k, v in a.items()} for c, a in scores.items()}, (4,))
    (line,) = changed_by_budgets(found)
    change = found[0].change
    numbers = (f"{100 * v:+.1f}" for v in (change.mean, change.lower, change.upper))
    mean, low, high = numbers
    first, second = (f"{-100 * d.mean:.1f}" for d in (found[0].at_first, found[0].at_second))
    assert line == (
        f"At 4 samples per class a costs {first} points with 500 steps and {second} with 2,000 "
        f"steps; the budget changes the difference by {mean} ({low} to {high})."
    )
    assert unchanged_by_budgets(found) == ()


def test_a_difference_that_changes_its_side_is_said_so() -> None:
    scores = study(change=(0.1, 0.1, 0.1))
    for arms in scores.values():
        arms["a"] = arms["a"] + 0.05
    line = changed_by_budgets(interactions(scores, SIZES))[0]
    assert line.startswith("On average over the sizes a costs ")
    assert " points with 500 steps and gains " in line
    assert line.endswith(" It changes it at 1, 2 and 4 samples per class as well.")


def test_up_to_two_further_sizes_are_quoted_with_both_differences() -> None:
    scores = study(change=(0.0, 0.1, 0.2), seed=1)
    area, first, second, third = interactions(scores, SIZES)
    (line,) = changed_by_budgets((area, first, second, third))
    assert first.p_adjusted > 0.05
    for one in (second, third):
        early, late = -100 * one.at_first.mean, -100 * one.at_second.mean
        mean, low, high = (100 * v for v in (one.change.mean, one.change.lower, one.change.upper))
        assert (
            f" At {one.size} samples per class it costs {early:.1f} and {late:.1f}: by {mean:+.1f} "
            f"({low:+.1f} to {high:+.1f})."
        ) in line


def test_where_nothing_is_established_the_line_does_not_say_that_nothing_changes() -> None:
    found = interactions(study(change=(0.0,) * 3, seed=1), SIZES)
    (line,) = unchanged_by_budgets(found)
    assert line.startswith("That 500 steps instead of 2,000 steps change the difference is not ")
    assert changed_by_budgets(found) == ()


def test_too_few_seeds_give_what_was_measured_and_no_claim() -> None:
    found = interactions(study(n=4), SIZES)
    assert changed_by_budgets(found) == ()
    (line,) = unchanged_by_budgets(found)
    assert "cannot be tested with 4 seeds (at least 6 are needed)" in line
    assert "a 1: " in line
    assert "a 4: " in line
    assert "a 2: " not in line


def test_collapses_behind_a_change_are_counted_in_its_line() -> None:
    scores = study(n=10, change=(0.2, 0.2, 0.2))
    scores[SHORT]["none"][4, 0] = 0.1
    line = changed_by_budgets(interactions(scores, SIZES, chance=0.1))[0]
    assert line.endswith(
        " 1 of the 120 cells of both arms and budgets collapsed: read that as a change in most "
        "seeds, not in the mean."
    )


def test_every_verdict_says_for_which_budget_it_is() -> None:
    assert budget_remark(["2,000 steps"], "2,000 steps").startswith(
        "These verdicts are for 2,000 steps of pretraining"
    )
    assert "primary condition" in budget_remark([SHORT, LONG], LONG)
    assert "not the longest budget" in budget_remark([SHORT, LONG], SHORT)
    assert "the study names as its primary" in budget_remark([SHORT, LONG], SHORT, SHORT)
    assert f"not {SHORT}, the primary budget" in budget_remark([SHORT, LONG], LONG, SHORT)
