"""Any metric in the place of accuracy: its values, what collapses, and what guessing gives."""

from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics as skm
from synthetic import ENVIRONMENT, TEST_IMAGES, fill, invent, make_study

from augbench.errors import UsageError
from augbench.labels import decode, encode
from augbench.protocol.metrics import COMPARABLE
from augbench.results import StudyResult
from augbench.store import Store

PAIR = ("digits", "letters")
# Class a has 400 of 500 test images, c has 20.
UNEQUAL = np.repeat([0, 1, 2], [400, 80, 20])


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    study = make_study(["mixup"], seeds=6, shift=["blur", "noise"])
    fill(folder, study, skip=[("mixup", 2, 3)])
    with Store.read(folder) as store:
        return store.study()


def unequal_study(tmp_path, guess=None, **options):
    """A study on unequal classes; networks that `guess(cell)` says of answer `a` to all images."""
    study = make_study(["mixup"], **options)
    (pair,) = study.pairs
    info = replace(pair[1], test_labels=encode(UNEQUAL, 3))
    study = replace(study, pairs=((pair[0], info),))
    with Store.open(tmp_path) as store:
        store.plan(study, study.cells(), "augbench run")
        for cell in study.cells():
            rng = np.random.default_rng([cell.seed, cell.samples_per_class or 0])
            right = rng.random(TEST_IMAGES) < np.where(UNEQUAL == 0, 0.9, 0.6)
            predicted = np.where(right, UNEQUAL, (UNEQUAL + 1) % 3)
            if guess is not None and guess(cell):
                predicted = np.zeros_like(UNEQUAL)
            correct = predicted == UNEQUAL
            result = invent(cell, study)
            store.record(
                cell,
                replace(
                    result,
                    metrics={**result.metrics, "accuracy": float(correct.mean())},
                    correct=np.packbits(correct).tobytes(),
                    predicted=encode(predicted, 3),
                ),
                ENVIRONMENT,
                "cpu",
            )
        return store.study()


def test_class_wise_metrics_are_those_of_scikit_learn(tmp_path):
    result = StudyResult(unequal_study(tmp_path, seeds=2))
    for cell in result.cells:
        given = decode(cell.result.predicted, TEST_IMAGES, 3)
        balanced = skm.balanced_accuracy_score(UNEQUAL, given)
        assert result.metric_of(cell, "balanced_accuracy") == pytest.approx(balanced)
        f1 = skm.f1_score(UNEQUAL, given, average="macro")
        assert result.metric_of(cell, "macro_f1") == pytest.approx(f1)
        matrix = skm.confusion_matrix(UNEQUAL, given)
        np.testing.assert_array_equal(result.confusion(cell), matrix)
        row = next(row for row in result.cell_rows() if row["key"] == cell.key)
        assert (row["balanced_accuracy"], row["macro_f1"]) == pytest.approx((balanced, f1))
    assert result.confusions(PAIR, "mixup", 8).sum(axis=(1, 2)).tolist() == [TEST_IMAGES] * 2


@pytest.mark.parametrize("name", COMPARABLE)
def test_everything_is_about_the_metric_that_is_asked_for(stored, name):
    result, plain = StudyResult(stored, metric=name), StudyResult(stored)
    assert result.values(PAIR, "mixup") == pytest.approx(
        plain.values(PAIR, "mixup", metric=name), nan_ok=True
    )
    analysis = result.analysis(PAIR)
    mean = np.nanmean(plain.values(PAIR, "mixup", metric=name), axis=0)
    (curve,) = [one for one in analysis.curves if one.augmentation == "mixup"]
    assert [point.mean for point in curve.points] == pytest.approx(mean.tolist())
    assert result.table()[0]["mean"] == plain.table(name)[0]["mean"]
    assert result.at(result.budget).metric == name
    # Cells collapse by their accuracy, whatever is asked for.
    assert result.collapsed_cells == plain.collapsed_cells


def test_a_metric_that_has_no_direction_or_does_not_exist_is_one_clear_line(stored):
    for name in ("temperature", "pretrain_seconds", "acuracy"):
        with pytest.raises(UsageError, match=rf"metric '{name}': expected one of accuracy, nll"):
            StudyResult(stored, metric=name)


def test_what_guessing_gives_is_known_where_it_can_be(stored):
    found = {name: StudyResult(stored, metric=name).guessing(PAIR) for name in COMPARABLE}
    assert found["accuracy"] == found["balanced_accuracy"] == found["shift_accuracy"] == 1 / 3
    assert found["nll"] == found["nll_scaled"] == pytest.approx(np.log(3))
    assert np.isnan([found["ece"], found["ece_scaled"]]).all()
    # Of guesses, by simulation.
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(3), 100_000)
    guesses = rng.integers(0, 3, len(labels))
    assert found["macro_f1"] == pytest.approx(
        skm.f1_score(labels, guesses, average="macro"), abs=0.005
    )


def test_an_old_study_has_no_class_wise_metrics_and_no_error(stored):
    old = replace(stored, test_labels={})
    result = StudyResult(old, metric="balanced_accuracy")
    assert np.isnan(result.values(PAIR, "mixup")).all()
    assert result.analysis(PAIR) is None
    assert result.balance(PAIR) is None
    assert "macro_f1" not in result.cell_rows()[0]


def test_networks_that_answer_the_largest_class_have_collapsed_on_unequal_classes(tmp_path):
    """Their accuracy is 80 %, more than many of those that learnt have."""
    dead = {("mixup", 2, 1), ("none", 8, 0)}
    stored = unequal_study(
        tmp_path, lambda cell: (cell.arm.label, cell.samples_per_class, cell.seed) in dead, seeds=4
    )
    found = StudyResult(stored).collapsed_cells
    assert {(c.augmentation, c.samples_per_class, c.seed) for c in found} == dead


def test_a_study_of_such_networks_alone_has_learnt_nothing(tmp_path):
    result = StudyResult(unequal_study(tmp_path, lambda cell: True, seeds=4))
    found = result.unlearnt(PAIR)
    assert found.excluded
    assert (found.noun, found.highest) == ("balanced accuracy", pytest.approx(1 / 3))
    assert StudyResult(result.stored, metric="nll").analysis(PAIR).unlearnt == found


def test_a_study_that_learns_on_unequal_classes_has(tmp_path):
    result = StudyResult(unequal_study(tmp_path, seeds=4))
    assert result.unlearnt(PAIR) is None
    balance = result.balance(PAIR)
    assert balance.unequal
    assert (balance.majority, balance.images) == (0.8, (400, 80, 20))
