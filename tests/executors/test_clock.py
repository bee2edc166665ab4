"""The clock of a pack: steps of equal time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import make_study

from augbench.executors.clock import PackClock
from augbench.protocol.study import Settings
from augbench.training.packs import cost

CELLS = [
    cell
    for readouts in (("linear",), ("own-head",), ("linear", "knn", "full"))
    for cell in make_study(
        settings=Settings(pretrain_steps=300, finetune_steps=500, full_steps=40),
        seeds=1,
        readouts=readouts,
    ).cells()
]


@settings(max_examples=25)
@given(st.sets(st.integers(0, len(CELLS) - 1), min_size=1, max_size=6), st.data())
def test_a_pack_counts_its_steps_in_all_and_never_goes_back(numbers, data):
    pack = [CELLS[number] for number in sorted(numbers)]
    clock, told = PackClock(pack), []
    for cell in pack:
        left = data.draw(st.sampled_from([cell.steps, 0, cell.steps + 5]))  # failed, done again
        for steps in data.draw(st.lists(st.integers(1, 300), max_size=4)):
            told.append(clock.advance(min(steps, left)))
            left -= min(steps, left)
        told += [clock.advance(left), clock.end(cell)]
    assert all(steps >= 0 for steps in told)
    assert sum(told) == sum(cell.steps for cell in pack)


def test_pretraining_takes_its_share_of_the_time_and_not_of_the_steps():
    pack = list(make_study(sizes=(8, 16), settings=Settings(batch_size=8), seeds=1).cells())
    work = sum(3 * cell.pretrain_steps * 8 for cell in pack)
    whole = sum(map(cost, pack))
    clock, steps = PackClock(pack), sum(cell.steps for cell in pack)
    pretrained = clock.advance(sum(cell.pretrain_steps for cell in pack))
    assert pretrained == pytest.approx(steps * work / whole, rel=0.05)
    assert pretrained > 0.7 * steps
    before_the_tests = pretrained + clock.advance(steps)
    assert before_the_tests < steps
    assert before_the_tests + sum(map(clock.end, pack)) == steps


def test_cells_one_after_the_other_count_alike():
    pack = list(make_study(sizes=(8, 16), settings=Settings(batch_size=8), seeds=1).cells())
    clock, told = PackClock(pack), 0
    for number, cell in enumerate(pack, 1):
        told += clock.advance(cell.steps) + clock.end(cell)
        assert number - 0.01 < told / cell.steps < number + 1
