from dataclasses import replace

import pytest
from synthetic import fill, invent, make_study

from augbench.results import StudyResult
from augbench.statistics import aulc, paired_difference, remarks, verdict
from augbench.store import Store


def _result(folder, study, extra_passes=0.0):
    with Store.open(folder) as store:
        number = store.plan(study, study.cells(), "augbench run")
        for cell in study.cells():
            result = invent(cell, study)
            billed = extra_passes if cell.arm.label == "mixup" else 0.0
            metrics = {**result.metrics, "extra_passes": billed}
            store.record(cell, replace(result, metrics=metrics), {}, "cpu")
        return StudyResult(store.study(number))


@pytest.mark.parametrize("extra_passes", [0.0, 2000.0])
def test_what_an_augmentation_costs_beyond_its_steps_is_billed(tmp_path, extra_passes):
    result = _result(tmp_path, make_study(seeds=2), extra_passes)
    remarks = result.remarks(result.analysis(result.pairs[0]))
    billed = [line for line in remarks if "equal time" in line]
    assert len(billed) == bool(extra_passes)
    if extra_passes:
        assert billed[0].startswith("mixup takes 2000 forward and backward passes")


def test_seeds_added_after_a_run_are_told(tmp_path):
    _result(tmp_path, make_study(seeds=2))
    result = _result(tmp_path, make_study(seeds=5))
    remarks = result.remarks(result.analysis(result.pairs[0]))
    assert any("Seeds 2 to 4 were added" in line for line in remarks)


def test_failed_cells_and_chance_reach_the_analysis(tmp_path):
    study = make_study(seeds=9, sizes=(1, 2))
    fill(tmp_path, study, fail=[("mixup", 2, 3)], skip=[("mixup", 1, 5)])
    with Store.read(tmp_path) as store:
        result = StudyResult(store.study())
        failed = result.failures(result.pairs[0])
        (c,) = result.analysis(result.pairs[0]).comparisons
    assert failed["mixup"].tolist() == [[False, i == 3] for i in range(9)]
    assert not failed["none"].any()
    assert (c.lost.treated, c.lost.baseline, c.n) == (1, 0, 7)
    assert c.difference.dropped == (3, 5)
    # three classes: the failed cell counts as 1/3
    plain, mixup = (result.values(result.pairs[0], label) for label in ("none", "mixup"))
    mixup[3, 1] = 1 / 3
    assert c.lost.at_chance == paired_difference(aulc(mixup, (1, 2)), aulc(plain, (1, 2)))


def test_the_first_pair_of_a_study_is_its_primary_condition(tmp_path):
    pairs = (("digits", "letters"), ("digits", "digits"))
    fill(tmp_path, make_study(pairs=pairs))
    with Store.read(tmp_path) as store:
        result = StudyResult(store.study())
        first, second = (result.analysis(pair) for pair in result.pairs)
    assert (first.condition.label, first.condition.primary) == ("digits → letters", True)
    assert (second.condition.label, second.condition.primary) == ("digits → digits", False)
    assert [verdict(one)[0].exploratory for one in (first, second)] == [False, True]
    assert "digits → letters" in remarks(second)[0]
