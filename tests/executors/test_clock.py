"""The clock of a pack: steps of equal time."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import make_study

from augbench.executors.clock import PackClock
from augbench.protocol.study import Settings
from augbench.training.packs import cost, pretraining_share

CELLS = [
    cell
    for readouts in (("linear",), ("own-head",), ("linear", "knn", "full"))
    for cell in make_study(
        settings=Settings(pretrain_steps=300, finetune_steps=500, full_steps=40),
        seeds=1,
        readouts=readouts,
    ).cells()
]


@given(st.lists(st.sampled_from(CELLS), min_size=1, max_size=6, unique_by=lambda c: c.key), st.data())
def test_a_pack_counts_its_steps_in_all_and_never_goes_back(pack, data):
    clock, left, told = PackClock(pack), sum(cell.steps for cell in pack), []
    while left:
        steps = data.draw(st.integers(1, left))
        told.append(clock.advance(steps))
        left -= steps
    assert all(steps >= 0 for steps in told)
    assert sum(told) == sum(cell.steps for cell in pack)
    assert clock.advance(10) == 0  # a restart that does steps again


def test_pretraining_takes_its_share_of_the_time_and_not_of_the_steps():
    (cell, *_) = make_study(
        settings=Settings(pretrain_steps=2000, finetune_steps=2000), seeds=1
    ).cells()
    head_alone = replace(cell, settings=replace(cell.settings, pretrain_steps=0), budget=None)
    share = pretraining_share([cell])
    assert share == pytest.approx(1 - cost(head_alone) / cost(cell), abs=0.01)
    assert share > 0.7
    assert PackClock([cell]).advance(2000) == round(share * 4000)
