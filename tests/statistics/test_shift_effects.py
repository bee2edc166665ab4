from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from augbench.errors import UsageError
from augbench.statistics import shift_effects, sign_flip

RNG = np.random.default_rng(3)
PLAIN = 0.5 + 0.05 * RNG.standard_normal((8, 3))
BETTER = PLAIN + np.array([0.1, 0.0, 0.0]) + 0.01 * RNG.standard_normal((8, 3))
KINDS = ("noise", "blur", "jpeg")


def test_differences_are_paired_by_seed_with_scipys_interval() -> None:
    found = shift_effects({"none": PLAIN, "a": BETTER}, KINDS)
    assert [one.kind for one in found] == [None, *KINDS]
    for one in found:
        k = slice(None) if one.kind is None else slice(KINDS.index(one.kind), None)
        columns = (BETTER - PLAIN)[:, k]
        delta = columns.mean(axis=1) if one.kind is None else columns[:, 0]
        low, high = stats.t.interval(0.95, 7, delta.mean(), stats.sem(delta))
        assert one.difference.mean == pytest.approx(delta.mean())
        assert (one.difference.lower, one.difference.upper) == pytest.approx((low, high))
        assert one.treated.mean - one.baseline.mean == pytest.approx(delta.mean())
        assert one.test.p == sign_flip(delta).p
        assert one.p_adjusted >= one.test.p
        assert one.reachable
    assert found[1].p_adjusted < 0.05 < min(found[2].p_adjusted, found[3].p_adjusted)


def test_the_family_holds_every_augmentation() -> None:
    alone = shift_effects({"none": PLAIN, "a": BETTER}, KINDS)
    noise = {f"n{k}": PLAIN + 0.05 * RNG.standard_normal((8, 3)) for k in range(6)}
    more = shift_effects({"none": PLAIN, "a": BETTER, **noise}, KINDS)
    for one, other in zip(alone, more, strict=False):
        assert (one.augmentation, one.kind) == (other.augmentation, other.kind)
        assert other.p_adjusted >= one.p_adjusted


def test_a_seed_that_misses_an_arm_is_left_out_and_a_failed_one_is_at_chance_too() -> None:
    holes = BETTER.copy()
    holes[2] = np.nan
    found = shift_effects({"none": PLAIN, "a": holes}, KINDS)
    assert [one.difference.n for one in found] == [7] * 4
    failed = {"a": np.arange(8) == 2}
    harsh = shift_effects({"none": PLAIN, "a": holes}, KINDS, failed=failed, chance=0.1)
    assert harsh[1].p_adjusted > found[1].p_adjusted
    assert harsh[1].difference == found[1].difference


def test_one_kind_has_no_mean_beside_it_and_few_seeds_are_out_of_reach() -> None:
    (one,) = shift_effects({"none": PLAIN[:3, :1], "a": BETTER[:3, :1]}, KINDS[:1])
    assert (one.kind, one.reachable, one.seeds_needed) == ("noise", False, 6)
    assert one.p_adjusted == one.test.p
    assert shift_effects({"none": PLAIN}, KINDS) == ()


def test_arms_of_other_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"expected \[seeds, 3\] of every arm"):
        shift_effects({"none": PLAIN, "a": BETTER[:, :2]}, KINDS)
    with pytest.raises(UsageError, match="expected an arm 'plain', the baseline"):
        shift_effects({"none": PLAIN}, KINDS, baseline="plain")
