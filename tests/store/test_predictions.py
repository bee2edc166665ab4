"""The predicted classes of cells and the true ones of test sets: kept, found missing, checked."""

from dataclasses import replace

import numpy as np
import pytest
from damage import rewrite
from synthetic import ENVIRONMENT, fill, invent, make_study, true_labels

from augbench.labels import decode
from augbench.protocol.cell_result import TrainingCurve
from augbench.protocol.wanted import Wanted
from augbench.store import Owner, Store, backup, merge, problems, repair

STUDY = make_study(["mixup"], seeds=2, sizes=(1, 2))
CELLS = STUDY.cells()
KEYS = [cell.key for cell in CELLS]
RESULT = invent(CELLS[0], STUDY)
OLD = replace(RESULT, predicted=b"")
PREDICTIONS = Wanted(predictions=True)
CURVE = TrainingCurve((50,), (1.0,), (0.5,), (500, 1000), (1.0, 0.9), (0.5, 0.6))


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "store") as opened:
        opened.plan(STUDY, CELLS, "augbench run")
        yield opened


def record(store, result):
    return store.record(CELLS[0], result, ENVIRONMENT, "cpu")


def test_predictions_and_labels_are_read_as_they_were_written(store):
    record(store, RESULT)
    study = store.study()
    labels = decode(study.test_labels["letters"], 500, 3)
    assert labels.tolist() == true_labels(3).tolist()
    predicted = decode(study.cells[0].result.predicted, 500, 3)
    assert np.packbits(predicted == labels).tobytes() == RESULT.correct


def test_a_cell_without_predictions_counts_as_missing_where_they_are_wanted(store):
    record(store, OLD)
    owner = Owner.of_this_process()
    assert store.finished(KEYS) == {KEYS[0]: RESULT.metrics["accuracy"]}
    assert store.finished(KEYS, PREDICTIONS) == {}
    assert KEYS[0] not in store.claim(KEYS, owner)
    assert KEYS[0] in store.claim(KEYS, owner, wanted=PREDICTIONS)
    assert record(store, RESULT)
    assert store.finished(KEYS, PREDICTIONS).keys() == {KEYS[0]}
    assert not record(store, replace(RESULT, engine="another"))


@pytest.mark.parametrize("first", ["predictions", "curves"])
def test_two_runs_that_want_different_measurements_come_to_one_row_with_both(store, first):
    """Whichever is wanted first, no row is replaced for ever."""
    both = replace(RESULT, curves={"finetune": CURVE})
    record(store, replace(OLD, curves={"finetune": CURVE}) if first == "curves" else RESULT)
    record(store, RESULT if first == "curves" else both)  # what the other run computes
    record(store, both)
    assert store.finished(KEYS, Wanted(test_every=500, predictions=True)).keys() == {KEYS[0]}
    assert not record(store, RESULT)
    assert store.finished(KEYS, Wanted(test_every=500, predictions=True)).keys() == {KEYS[0]}


def test_predictions_change_no_key(tmp_path):
    known = replace(CELLS[0].finetune, test_labels=b"")
    assert replace(CELLS[0], finetune=known).key == CELLS[0].key
    assert known == CELLS[0].finetune


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("UPDATE cells SET predicted = x'00' WHERE rowid = 1", "its predicted classes: labels"),
        ("UPDATE cells SET correct = zeroblob(63) WHERE rowid = 1", "of its bits 0/500 are right"),
        (
            "UPDATE cells SET predicted = (SELECT predicted FROM cells WHERE rowid = 2) "
            "WHERE rowid = 1",
            "its predicted classes and its bits do not agree",
        ),
    ],
)
def test_predictions_that_contradict_the_bits_are_found(tmp_path, change, expected):
    fill(tmp_path, STUDY)
    rewrite(tmp_path, change, sign=True)
    with Store.read(tmp_path) as opened:
        (problem,) = problems(opened)
    assert expected in problem.text


@pytest.mark.parametrize("change", ["labels = x'00'", "images = 3", "checksum = ''"])
def test_damaged_labels_are_unknown_until_the_next_run_and_can_be_dropped(tmp_path, change):
    fill(tmp_path, STUDY)
    rewrite(tmp_path, f"UPDATE test_labels SET {change}")
    with Store.open(tmp_path) as opened:
        assert opened.study().test_labels == {}
        assert len(problems(opened)) == 2
        opened.plan(STUDY, CELLS, "augbench run")
        assert opened.study().test_labels.keys() == {"digits", "letters"}
    rewrite(tmp_path, f"UPDATE test_labels SET {change}")
    with Store.open(tmp_path) as opened:
        dropped, _ = repair(opened)
        assert {one.table for one in dropped} == {"test_labels"}
        assert problems(opened) == []


def test_merges_backups_and_a_store_that_is_put_back_keep_them(tmp_path):
    fill(tmp_path / "a", STUDY)
    merge([tmp_path / "a"], tmp_path / "merged")
    backup(tmp_path / "a", tmp_path / "copy")
    for folder in ("merged", "copy"):
        with Store.read(tmp_path / folder) as opened:
            assert opened.study().test_labels.keys() == {"digits", "letters"}
            assert opened.finished(KEYS, PREDICTIONS).keys() == set(KEYS)
    with Store.open(tmp_path / "a") as opened:
        opened.path.unlink()
        with pytest.warns(UserWarning, match="were put back"):
            opened.record(CELLS[0], RESULT, ENVIRONMENT, "cpu")
        assert opened.study().test_labels.keys() == {"digits", "letters"}


def test_a_slim_copy_lacks_curves_and_predictions_and_nothing_else(tmp_path):
    fill(tmp_path / "a", STUDY)
    backup(tmp_path / "a", tmp_path / "slim", slim=True)
    with Store.read(tmp_path / "a") as source, Store.read(tmp_path / "slim") as opened:
        assert problems(opened) == []
        assert opened.finished(KEYS) == source.finished(KEYS)
        assert not opened.finished(KEYS, PREDICTIONS)
        slim, whole = opened.study(), source.study()
        assert slim.description == whole.description
        for kept, cell in zip(slim.cells, whole.cells, strict=True):
            less = replace(cell.result, curves={}, correct=b"", predicted=b"")
            assert kept == replace(cell, result=less)
            assert cell.result.correct
