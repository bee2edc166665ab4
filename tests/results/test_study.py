from dataclasses import replace

import pytest
from synthetic import invent, make_study

from augbench.results import StudyResult
from augbench.store import Store


def _result(folder, study, extra_passes=0.0):
    with Store.open(folder) as store:
        number = store.plan(study, study.cells(), "augbench run")
        for cell in study.cells():
            result = invent(cell, study)
            billed = extra_passes if cell.augmentation.label == "mixup" else 0.0
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
