"""Failed and collapsed cells: never dropped in silence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from augbench.statistics import analyse, aulc, family_test, paired_difference, verdict
from augbench.statistics.failures import collapsed

SIZES = (1, 2, 4)


def study(n: int = 9, gain: float = 0.03) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    base = np.array([0.5, 0.6, 0.7]) + rng.normal(0, 0.02, (n, 1)) + rng.normal(0, 0.005, (n, 3))
    return base, base + gain + rng.normal(0, 0.005, (n, 3))


def with_failures(*places: tuple[int, int], arm: str = "a", **arguments):
    base, treated = study()
    arms = {"none": base, "a": treated}
    failed = np.zeros(base.shape, dtype=bool)
    for place in places:
        failed[place] = True
    arms[arm] = np.where(failed, math.nan, arms[arm])
    return analyse(arms, SIZES, failed={arm: failed}, chance=0.1, **arguments)


def test_without_failures_nothing_is_bounded() -> None:
    (c,) = analyse(dict(zip(("none", "a"), study(), strict=True)), SIZES, chance=0.1).comparisons
    assert c.lost is None


def test_the_bound_counts_failures_at_chance_over_all_seeds() -> None:
    base, treated = study()
    (c,) = with_failures((2, 0), (2, 1), (5, 2)).comparisons
    assert (c.lost.treated, c.lost.baseline, c.lost.seeds, c.n) == (2, 0, 9, 7)
    treated[2, :2] = treated[5, 2] = 0.1
    assert c.lost.at_chance == paired_difference(aulc(treated, SIZES), aulc(base, SIZES))


def test_a_claim_must_hold_with_failures_dropped_and_with_them_at_chance() -> None:
    base, treated = study()
    (c,) = with_failures((2, 0)).comparisons
    p = []
    for filled in (math.nan, 0.1):
        treated[2, 0] = filled
        delta = treated - base
        p.append(family_test(np.column_stack([aulc(delta, SIZES), delta]), [0, 1, 1, 1]).p)
    assert [c.p_adjusted, *(r.p_adjusted for r in c.by_size)] == np.maximum(*p).tolist()
    assert c.by_size[0].p_adjusted > 0.05 >= p[0][1]


def test_opposite_directions_claim_nothing() -> None:
    (c,) = with_failures((2, 0), (2, 1), (2, 2), (4, 0), (4, 1), (4, 2)).comparisons
    assert c.difference.mean > 0 > c.lost.at_chance.mean
    assert c.p_adjusted == 1


@pytest.mark.parametrize(("arm", "words"), [("a", "only with it"), ("none", "only without it")])
def test_the_headline_says_which_arm_lost_seeds_and_the_bound(arm: str, words: str) -> None:
    (v,) = verdict(with_failures((2, 0), (2, 1), (2, 2), arm=arm))
    assert f"1 of 9 seeds failed {words}, and with failures counted at chance it is" in v.headline


def test_a_seed_that_both_lost_is_lost_by_neither_alone() -> None:
    base, treated = study()
    failed = np.zeros(base.shape, dtype=bool)
    failed[1] = True
    arms = {k: np.where(failed, math.nan, v) for k, v in (("none", base), ("a", treated))}
    (c,) = analyse(arms, SIZES, failed={"none": failed, "a": failed}, chance=0.1).comparisons
    assert c.lost is None
    assert c.p_adjusted <= 0.05


def test_cells_that_were_not_run_are_no_failures() -> None:
    base, treated = study()
    treated[3, 1] = math.nan
    (c,) = analyse({"none": base, "a": treated}, SIZES, chance=0.1).comparisons
    assert (c.lost, c.n) == (None, 8)


def test_a_cell_near_chance_where_others_learn_has_collapsed() -> None:
    plain = np.array([[0.8, 0.2], [0.82, 0.22], [0.27, 0.11]])
    arm = np.array([[0.78, 0.21], [0.11, math.nan], [0.3, 0.1]])
    found = collapsed({"none": plain, "a": arm}, 0.1)
    # the best median is .8 at the first size: below .275; .2 at the second: below .125
    assert found["none"].tolist() == [[False, False], [False, False], [True, True]]
    assert found["a"].tolist() == [[False, False], [True, False], [False, True]]


def test_where_nobody_has_learnt_five_points_noise_is_no_collapse() -> None:
    arms = {"none": np.array([[0.11], [0.14], [0.149]]), "a": np.array([[0.1], [0.1], [0.1]])}
    assert not any(low.any() for low in collapsed(arms, 0.1).values())
    arms["none"] += 0.02
    assert collapsed(arms, 0.1)["a"].all()


def test_collapsed_cells_are_named_by_size_and_seed_and_many_seeds_are_counted() -> None:
    base, treated = study()
    treated[2, 1] = treated[7, 2] = 0.1
    (c,) = analyse({"none": base, "a": treated}, SIZES, chance=0.1).comparisons
    assert c.collapses.treated_at == ((2, 2), (4, 7))
    assert c.collapses.baseline_at == ()
    treated[:5, 0] = 0.1
    (v,) = verdict(analyse({"none": base, "a": treated}, SIZES, chance=0.1))
    assert "7 of 27 cells with it (in 6 seeds), 0 without it;" in " ".join(v.sentences)


def test_where_nobody_learns_nothing_collapses() -> None:
    assert not collapsed({"none": np.full((4, 1), 0.1), "a": np.full((4, 1), 0.09)}, 0.1)["a"].any()


def test_collapses_are_counted_beside_the_mean_and_narrow_the_claim() -> None:
    base, treated = study()
    base[4] = 0.1
    (v,) = verdict(analyse({"none": base, "a": treated}, SIZES, chance=0.1))
    assert v.kind == "helps"
    assert v.headline.startswith("a helps in 9 of 9 seeds, by an uncertain mean: +")
    text = " ".join(v.sentences)
    assert (
        "Collapsed, near chance where others learn: 0 of 27 cells with it, 3 without it (seed 4 at "
        "1, 2 and 4); " in text
    )
    assert "one arm collapses more often than the other" in text
    assert "not about the mean" in text
