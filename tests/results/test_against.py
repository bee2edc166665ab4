"""A study read against another arm than its baseline, and any two arms of it."""

import numpy as np
import pytest
from synthetic import fill, make_study

from augbench.errors import UsageError
from augbench.results import StudyResult
from augbench.statistics import all_pairs, pairwise
from augbench.store import Store


@pytest.fixture
def stored(tmp_path):
    study = make_study(["collage", "mixup"], seeds=8, references=True, ruler=(16,))
    fill(tmp_path, study)
    with Store.read(tmp_path) as store:
        return store.study()


def test_every_arm_is_compared_with_the_one_that_was_asked_for(stored):
    result = StudyResult(stored, against="mixup")
    (pair,) = result.pairs
    analysis = result.analysis(pair)
    assert analysis.baseline == "mixup"
    found = pairwise(
        result.scores(pair),
        result.sizes,
        "mixup",
        failed=result.failures(pair),
        chance=result.guessing(pair),
    )
    for one, expected in zip(analysis.comparisons, found, strict=True):
        assert one.augmentation == expected.augmentation
        assert one.p_adjusted == expected.p_adjusted
        assert one.difference == expected.difference
    assert not analysis.condition.primary
    assert analysis.condition.label == "digits → letters, against mixup"
    assert analysis.condition.primary_label == "digits → letters, against none"


def test_ruler_and_references_are_the_baselines_alone(stored):
    own, other = StudyResult(stored), StudyResult(stored, against="collage")
    (pair,) = own.pairs
    assert own.has_references
    assert own.ruler_sizes == (16,)
    assert own.analysis(pair).references.floor is not None
    assert not other.has_references
    assert other.ruler_sizes == ()
    assert other.analysis(pair).references.floor is None
    assert other.own_baseline == "none"
    assert other.at().baseline == "collage"


def test_against_its_own_baseline_a_study_is_what_it_was(stored):
    own, same = StudyResult(stored), StudyResult(stored, against="none")
    (pair,) = own.pairs
    assert same.condition(pair) == own.condition(pair)
    assert same.ruler_sizes == own.ruler_sizes


def test_an_arm_that_is_not_there_is_refused(stored):
    with pytest.raises(UsageError, match="no arm 'mixpu'; expected one of none, collage, mixup"):
        StudyResult(stored, against="mixpu")


def test_any_two_arms_are_compared_as_one_family(stored):
    result = StudyResult(stored)
    (pair,) = result.pairs
    found = result.pairwise(pair)
    expected = all_pairs(
        result.scores(pair),
        result.sizes,
        failed=result.failures(pair),
        chance=result.guessing(pair),
    )
    assert found == expected
    assert {(row.first, row.second) for row in found} == {
        ("none", "collage"),
        ("none", "mixup"),
        ("collage", "mixup"),
    }
    assert all(np.isfinite(row.p) for row in found)


def test_without_a_second_arm_there_are_no_pairs(tmp_path):
    fill(tmp_path, make_study([], seeds=2))
    with Store.read(tmp_path) as store:
        result = StudyResult(store.study())
    assert result.pairwise(result.pairs[0]) == ()
