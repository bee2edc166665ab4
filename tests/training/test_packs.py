"""Dealing cells into packs."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab import SETTINGS

from augbench.options import Options, Settings
from augbench.protocol.study import Budget
from augbench.training.packs import (
    cost,
    early_results,
    kept_features,
    plan_packs,
    trained_alike,
)


def sweep(lab, seeds, *, sizes=Options.samples_per_class, rules=None):
    rules = rules or Settings()
    source = replace(lab.source, classes=tuple("0123456789"), image_shape=(1, 28, 28))
    return [
        lab.cell(augmentation, size, seed, settings=rules, source=source)
        for seed in range(seeds)
        for augmentation in ("none", "collage", "mixup")
        for size in sizes
    ]


def loads(packs, workers):
    """Each worker takes the next pack as it becomes free."""
    free = [0.0] * workers
    for pack in packs:
        first = free.index(min(free))
        free[first] += sum(cost(cell) for cell in pack)
    return free


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seeds=st.integers(0, 6),
    workers=st.integers(1, 9),
    sizes=st.lists(st.sampled_from([0, 1, 4, 64, None]), unique=True),
    batch=st.sampled_from([1, 8, 64]),
    kind=st.sampled_from(["cpu", "cuda"]),
    limit=st.sampled_from([None, 1, 3]),
)
def test_every_cell_is_in_one_pack_of_cells_that_train_alike(
    session_lab, seeds, workers, sizes, batch, kind, limit
):
    cells = sweep(session_lab, seeds, sizes=sizes, rules=Settings(batch_size=batch))
    packs = plan_packs(cells, workers, device_kind=kind, pack_limit=limit)
    assert Counter(cell.key for pack in packs for cell in pack) == Counter(c.key for c in cells)
    assert all(packs)
    for pack in packs:
        assert len({trained_alike(cell) for cell in pack}) == 1
        assert limit is None or len(pack) <= limit


def test_the_handouts_sweep_is_two_packs_for_two_workers(lab):
    assert [len(pack) for pack in plan_packs(sweep(lab, 1), 2)] == [11, 10]


@pytest.mark.parametrize("seeds", [1, 2, 3, 8])
@pytest.mark.parametrize("workers", [1, 2, 3, 4, 8])
def test_workers_end_together(lab, seeds, workers):
    cells = sweep(lab, seeds)
    free = loads(plan_packs(cells, workers), workers)
    assert max(free) <= 1.25 * sum(free) / workers


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_where_all_packs_would_end_together_a_small_one_ends_early(lab, workers):
    """First results come before half of the time, which grows by the overhead of one pack."""
    cells = sweep(lab, 1)[: 9 * workers]
    packs = plan_packs(cells, workers)
    assert len(packs) == workers
    early = early_results(packs, workers)
    assert Counter(c.key for p in early for c in p) == Counter(c.key for c in cells)
    one = cost(cells[0])
    free, ends = [0.0] * workers, []
    for pack in early:
        ends.append(free[0] + sum(map(cost, pack)) / one + 1.5)
        free = sorted([*free[1:], ends[-1]])
    assert min(ends) <= max(ends) / 2
    assert max(ends) <= max(map(len, packs)) + 3


@pytest.mark.parametrize(("seeds", "workers"), [(8, 2), (1, 8), (0, 2)])
def test_packs_that_end_one_by_one_or_are_small_stay_as_they_are(lab, seeds, workers):
    packs = plan_packs(sweep(lab, seeds), workers)
    assert early_results(packs, workers) == packs


def test_a_pack_holds_one_seed_where_a_seed_fills_it(lab):
    for pack in plan_packs(sweep(lab, 4), 2):
        assert len({cell.seed for cell in pack}) == 1


def test_seeds_of_few_cells_share_packs(lab):
    cells = [cell for cell in sweep(lab, 12) if cell.samples_per_class == 4]
    packs = plan_packs(cells, 2)
    assert min(len(pack) for pack in packs) >= 4
    assert len(packs) <= 6


def test_early_seeds_come_first_so_that_results_can_be_compared_early(lab):
    seeds = [pack[0].seed for pack in plan_packs(sweep(lab, 6), 2)]
    assert seeds == sorted(seeds)


def test_finetunings_of_one_pretraining_stay_together(lab):
    third = lab.add_images("third", 5, seed=9)
    cells = [
        lab.cell(size=s, seed=i, target=t)
        for i in (0, 1)
        for s in (1, 2, 4)
        for t in (lab.target, third)
    ]
    packs = plan_packs(cells, 4, pack_limit=1)
    assert len(packs) == 6
    for pack in packs:
        assert len({cell.pretrain_key for cell in pack}) == 1
        assert len(pack) == 2


def test_a_gpu_is_given_all_seeds_at_once(lab):
    assert [len(pack) for pack in plan_packs(sweep(lab, 8), 1, device_kind="cuda")] == [168]


def test_kept_features_are_those_of_the_largest_size_and_of_each_set_of_neighbours(lab):
    def cell(readout, size, steps=10):
        own = replace(SETTINGS, calibration_samples_per_class=2)
        return replace(
            lab.cell(settings=own), readout=readout, finetune_size=size, budget=Budget(steps)
        )

    classes = len(lab.target.classes)
    unit = [cell("linear", 3), cell("linear", 6), cell("full", 6)]
    assert kept_features(unit) == classes * (6 + 2)
    assert kept_features([*unit, cell("knn", 3), cell("knn", 6)]) == classes * (6 + 2 + 3 + 6)
    # One budget after the other.
    assert kept_features([*unit, cell("knn", 3, steps=20)]) == classes * (6 + 2)
    assert kept_features([cell("own-head", None)]) == 0
