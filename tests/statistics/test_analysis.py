from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats

from augbench.errors import UsageError
from augbench.statistics import (
    Condition,
    analyse,
    as_plain,
    aulc,
    family_test,
    gap_closed,
    label_multipliers,
    sign_flip,
    step_down_max_t,
)

SIZES = (1, 2, 4, 8, 16, 32, 64)


def study(n: int, augmentations: int = 2, seed: int = 0) -> dict[str, np.ndarray]:
    """Paired curves: a seed's luck is shared, and augmentation j gains j points at small s."""
    rng = np.random.default_rng(seed)
    luck = rng.normal(0, 0.02, (n, 1))
    curve = 0.9 - 0.4 * np.exp(-np.arange(7) / 2.5)
    arms = {"none": curve + luck + rng.normal(0, 0.01, (n, 7))}
    for j in range(augmentations):
        gain = 0.01 * j * np.linspace(2, 0, 7)
        arms[f"a{j}"] = curve + gain + luck + rng.normal(0, 0.01, (n, 7))
    return arms


def leaves(node: object, path: str = "") -> Iterator[tuple[str, object]]:
    if dataclasses.is_dataclass(node):
        for field in dataclasses.fields(node):
            yield from leaves(getattr(node, field.name), f"{path}.{field.name}")
    elif isinstance(node, tuple):
        for i, item in enumerate(node):
            yield from leaves(item, f"{path}[{i}]")
    else:
        yield path, node


def assert_same(one: object, other: object) -> None:
    for (path, a), (_, b) in zip(leaves(one), leaves(other), strict=True):
        if isinstance(a, float):
            assert a == pytest.approx(b, abs=1e-9, nan_ok=True), path
        else:
            assert a == b, path


def test_every_number_of_a_comparison_by_an_independent_computation() -> None:
    arms = study(9, 3)
    result = analyse(arms, SIZES)
    weights = np.array([0.5, 1, 1, 1, 1, 1, 0.5]) / 6
    areas = {name: arm @ weights for name, arm in arms.items()}
    plain = {name: sign_flip(areas[name] - areas["none"]).p for name in ("a0", "a1", "a2")}
    for c in result.comparisons:
        t = stats.ttest_rel(areas[c.augmentation], areas["none"]).confidence_interval()
        assert (c.difference.lower, c.difference.upper) == pytest.approx((t.low, t.high))
        assert c.aulc.mean == pytest.approx(areas[c.augmentation].mean())
        assert c.baseline_aulc.mean == pytest.approx(areas["none"].mean())
        assert c.test.p == plain[c.augmentation]
        assert (c.n, c.least_p, c.reachable) == (9, 2**-8, True)
        assert c.improvement.wins == (areas[c.augmentation] > areas["none"]).sum()
        delta = arms[c.augmentation] - arms["none"]
        assert [row.p_within for row in c.by_size] == step_down_max_t(delta).tolist()
        multipliers = label_multipliers(arms[c.augmentation], arms["none"], SIZES)
        for row, multiplier in zip(c.by_size, multipliers, strict=True):
            assert row.multiplier in (
                multiplier,
                multiplier.without_number(row.multiplier.withheld),
            )
        for k, row in enumerate(c.by_size):
            assert row.size == SIZES[k]
            assert row.difference.mean == pytest.approx(delta[:, k].mean())
            assert row.treated.mean - row.baseline.mean == pytest.approx(row.difference.mean)
            correlation = stats.pearsonr(arms[c.augmentation][:, k], arms["none"][:, k])
            assert row.pairing.correlation == pytest.approx(correlation.statistic)
            assert row.gap_closed is None
    for curve in result.curves:
        assert [point.mean for point in curve.points] == pytest.approx(
            arms[curve.augmentation].mean(axis=0)
        )


def test_areas_and_sizes_of_all_arms_are_one_family() -> None:
    arms = study(9, 3)
    columns = []
    for name in ("a0", "a1", "a2"):
        delta = arms[name] - arms["none"]
        columns += [aulc(delta, SIZES), *delta.T]
    expected = family_test(np.column_stack(columns), ([0] + [1] * 7) * 3).p.reshape(3, 8)
    for c, p in zip(analyse(arms, SIZES).comparisons, expected, strict=True):
        assert [c.p_adjusted, *(row.p_adjusted for row in c.by_size)] == p.tolist()


def test_the_condition_is_carried_and_primary_unless_it_is_said() -> None:
    assert analyse(study(3), SIZES).condition == Condition()
    other = Condition("a → b", primary=False, primary_label="a → a")
    assert analyse(study(3), SIZES, condition=other).condition is other


def test_references_are_reported_with_the_share_of_the_gap() -> None:
    arms = study(5)
    floor, ceiling = np.full(5, 0.3), np.linspace(0.93, 0.95, 5)
    result = analyse(arms, SIZES, floor=floor, ceiling=ceiling)
    assert result.references.floor is not None
    assert result.references.floor.mean == pytest.approx(0.3)
    assert result.references.above_floor is not None
    assert result.references.above_floor[0].mean == pytest.approx(arms["none"][:, 0].mean() - 0.3)
    assert result.references.below_ceiling is not None
    assert result.references.below_ceiling[6].mean == pytest.approx(
        (ceiling - arms["none"][:, 6]).mean()
    )
    row = result.comparisons[1].by_size[2]
    assert row.gap_closed == gap_closed(arms["a1"][:, 2], arms["none"][:, 2], ceiling)


def test_the_ruler_reaches_the_multipliers_and_is_sorted() -> None:
    arms = study(6)
    ruler = np.column_stack([arms["none"][:, 6] + 0.03, arms["none"][:, 6] + 0.02])
    result = analyse(arms, SIZES, ruler=ruler, ruler_sizes=(256, 128))
    assert result.ruler_sizes == (128, 256)
    assert result.ruler[0].mean == pytest.approx(ruler[:, 1].mean())
    assert result.comparisons[0].by_size[6].multiplier.most == 4


def test_one_seed_claims_nothing() -> None:
    arms = study(1)
    result = analyse(arms, SIZES, floor=[0.1], ceiling=[0.95], ruler=[[0.92]], ruler_sizes=(128,))
    for c in result.comparisons:
        assert math.isnan(c.difference.lower)
        assert math.isnan(c.detectable)
        assert (c.test.p, c.reachable, c.seeds_needed) == (1.0, False, 6)
        assert c.seeds_for_observed is None
        assert all(math.isnan(row.multiplier.lower) for row in c.by_size)


def test_without_seeds_or_baseline_there_are_only_curves() -> None:
    assert analyse({"none": np.empty((0, 1)), "a": np.empty((0, 1))}, (1,)).comparisons[0].n == 0
    result = analyse({"a": [[0.5]]}, (1,))
    assert result.comparisons == ()
    assert result.curves[0].aulc.mean == 0.5


def test_a_missing_cell_drops_its_seed_from_the_areas_and_its_size_only() -> None:
    arms = study(8)
    arms["a1"][2, 3] = math.nan
    first, second = analyse(arms, SIZES).comparisons
    assert first.n == 8
    assert (second.n, second.difference.dropped, second.test.dropped) == (7, (2,), (2,))
    assert [row.difference.n for row in second.by_size] == [8, 8, 8, 7, 8, 8, 8]
    assert second.by_size[3].difference.dropped == (2,)
    assert second.aulc.n == second.baseline_aulc.n == 7


def test_a_failed_arm_lowers_only_its_own_reach() -> None:
    arms = study(7)
    arms["a1"][:3, 0] = math.nan
    first, second = analyse(arms, SIZES).comparisons
    assert (first.least_p, first.reachable) == (2**-6, True)
    assert (second.least_p, second.reachable) == (2**-3, False)


def test_an_augmentation_without_any_cell_changes_nothing_for_the_others() -> None:
    arms = study(6)
    (alone,) = analyse({name: arms[name] for name in ("none", "a0")}, SIZES).comparisons
    arms["a1"][:] = math.nan
    first, second = analyse(arms, SIZES).comparisons
    # Six seeds detect no difference of any size, which is NaN, and NaN is not equal to itself.
    np.testing.assert_equal(dataclasses.asdict(first), dataclasses.asdict(alone))
    assert math.isnan(second.p_adjusted)
    assert not second.reachable


def test_the_order_of_seeds_changes_nothing() -> None:
    arms = study(8)
    order = np.random.default_rng(1).permutation(8)
    moved = {name: arm[order] for name, arm in arms.items()}
    assert_same(analyse(arms, SIZES), analyse(moved, SIZES))


def test_the_order_of_augmentations_changes_no_number() -> None:
    arms = study(8, 3)
    one = analyse(arms, SIZES)
    other = analyse(dict(reversed(arms.items())), SIZES)
    assert_same(one.comparisons, tuple(reversed(other.comparisons)))


def test_a_shift_of_all_arms_changes_no_difference() -> None:
    arms = study(6)
    shifted = {name: arm + 0.05 for name, arm in arms.items()}
    for one, other in zip(
        analyse(arms, SIZES).comparisons, analyse(shifted, SIZES).comparisons, strict=True
    ):
        assert one.difference.mean == pytest.approx(other.difference.mean)
        assert one.test.p == other.test.p
        assert [r.p_adjusted for r in one.by_size] == [r.p_adjusted for r in other.by_size]


def test_it_is_deterministic_and_needs_no_global_state() -> None:
    arms = study(20)
    np.random.seed(0)  # noqa: NPY002 - the global state is what must not matter
    one = analyse(arms, SIZES)
    np.random.seed(1)  # noqa: NPY002
    assert one == analyse(arms, SIZES)


def test_the_inputs_are_left_unchanged() -> None:
    arms = study(4)
    copies = {name: arm.copy() for name, arm in arms.items()}
    analyse(arms, SIZES)
    assert all((arms[name] == copies[name]).all() for name in arms)


def test_the_tree_is_plain_json() -> None:
    plain = as_plain(analyse(study(1), SIZES))
    text = json.dumps(plain, allow_nan=False)
    assert json.loads(text)["comparisons"][0]["difference"]["lower"] is None
    assert json.loads(text)["comparisons"][0]["by_size"][3]["size"] == 8


def test_the_tree_holds_plain_python_values_only() -> None:
    result = analyse(study(8), SIZES, floor=np.full(8, 0.2), ceiling=np.full(8, 0.95))
    assert {type(leaf) for _, leaf in leaves(result)} <= {bool, float, int, str, type(None)}


@pytest.mark.parametrize(
    ("scores", "arguments", "message"),
    [
        ({}, {}, "at least one augmentation"),
        ({"none": [[50.0]]}, {}, "got 50 to 50; divide per cent by 100"),
        ({"none": [[0.5]], "a": [[0.5], [0.6]]}, {}, r"scores\['a'\]: expected shape \(1, 1\)"),
        ({"none": [[0.5, 0.6]]}, {}, "expected shape"),
        ({"none": [[0.5]]}, {"floor": [0.1, 0.2]}, "floor: expected shape"),
        ({"none": [[0.5]]}, {"ruler": [[0.5]]}, "ruler: expected shape"),
        ({"none": [[0.5]]}, {"alpha": 5}, "alpha: expected"),
        ({"none": [[0.5]]}, {"alpha": 0}, "alpha: expected"),
        ({"none": [[0.5]]}, {"chance": 1}, "chance: expected"),
        ({"none": [[0.5]]}, {"failed": {"none": [[True]]}}, "a failed cell has an accuracy"),
        ({"none": [[0.5]]}, {"failed": {"a": [[True]]}}, "expected one of scores"),
        ({"none": [[0.5]]}, {"failed": {"none": [True]}}, "and its shape"),
        ({"none": [[0.5]]}, {"confidence": 1}, "confidence: expected"),
    ],
)
def test_what_does_not_fit_is_refused(scores: dict, arguments: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        analyse(scores, (4,), **arguments)


@pytest.mark.parametrize("sizes", [(0.5,), (0,), (1.5,), (-1,)])
def test_sizes_are_whole_and_start_at_one(sizes: tuple) -> None:
    with pytest.raises(UsageError, match="expected whole, strictly increasing samples per class"):
        analyse({"none": [[0.5]], "a": [[0.6]]}, sizes)
