import json
import sqlite3
from dataclasses import replace

import pytest

from augbench.datasets.contract import DatasetInfo
from augbench.errors import StoreError
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Pipeline
from augbench.protocol.cell_result import CellResult, TrainingCurve
from augbench.protocol.study import Arm, Budget, Cell, Settings, Study, study_key
from augbench.protocol.wanted import Wanted
from augbench.store import FILE_NAME, Store

DIGITS = DatasetInfo("digits", "aa" * 32, (1, 16, 16), ("0", "1"), (9, 9), 16)
LETTERS = DatasetInfo("letters", "bb" * 32, (1, 16, 16), ("a", "b", "c"), (9, 9, 9), 24)
CONVNET = Component("backbone", "convnet", (("dropout", 0.5),), source_hash="1", label="convnet")
NONE = Arm.of(Component("augmentation", "none", label="none"))
MIXUP = Arm.of(
    Component("augmentation", "mixup", (("alpha", 0.3),), source_hash="2", label="mixup")
)


def mixup(**changes):
    (stage,) = MIXUP.pipeline.stages
    return Arm.of(replace(stage.members[0].component, **changes))


CELL = Cell(DIGITS, LETTERS, CONVNET, MIXUP, 4, 0)
STUDY = Study(((DIGITS, LETTERS),), (NONE, MIXUP), CONVNET, (1, 4), seeds=2, baseline=NONE)
RESULT = CellResult(
    CELL.key,
    {"accuracy": 0.75, "nll": 0.5},
    {
        "pretrain": TrainingCurve((50,), (1.0,), (0.5,)),
        "finetune": TrainingCurve((50,), (0.9,), (0.6,)),
    },
    b"\xff\xff\xc0",
    1.5,
    "reference",
)


@pytest.mark.parametrize(
    "other",
    [
        replace(CELL, seed=1),
        replace(CELL, samples_per_class=8),
        replace(CELL, samples_per_class=None),
        replace(CELL, arm=mixup(parameters=(("alpha", 0.4),), varied=frozenset({"alpha"}))),
        replace(CELL, arm=mixup(source_hash="3")),
        replace(CELL, arm=mixup(distribution="theirs")),
        replace(CELL, arm=replace(MIXUP, pipeline=Pipeline(2 * MIXUP.pipeline.stages))),
        replace(CELL, arm=replace(MIXUP, pipeline=NONE.pipeline)),
        replace(CELL, budget=Budget(500)),
        replace(CELL, budget=Budget(3, in_epochs=True)),
        replace(CELL, backbone=replace(CONVNET, source_hash="4")),
        replace(CELL, pretrain=replace(DIGITS, content_hash="cc" * 32)),
        replace(CELL, finetune=replace(LETTERS, content_hash="cc" * 32)),
        *(
            replace(CELL, arm=replace(MIXUP, settings=replace(Settings(), **{name: value})))
            for name, value in {
                "batch_size": 16,
                "pretrain_steps": 1,
                "finetune_steps": 1,
                "learning_rate": 0.1,
                "finetune_samples_per_class": 2,
                "calibration_samples_per_class": 0,
                "root_seed": 1,
            }.items()
        ),
    ],
)
def test_whatever_can_change_a_result_changes_the_key(other):
    assert other.key != CELL.key


@pytest.mark.parametrize(
    "same",
    [
        replace(CELL, arm=mixup(version="2")),
        replace(CELL, arm=mixup(parameters=(("alpha", 0.3), ("new", 1.0)))),
        replace(CELL, arm=replace(MIXUP, label="heavy")),
        replace(CELL, budget=Budget(2000)),
        replace(CELL, budget=Budget(500), arm=replace(MIXUP, own_budget=True)),
    ],
)
def test_releases_and_names_change_no_key(same):
    assert same.key == CELL.key


def test_without_its_source_a_version_tells_two_components_apart():
    one, other = (mixup(source_hash="", version=version) for version in ("1", "2"))
    assert replace(CELL, arm=one).key != replace(CELL, arm=other).key


OTHER = Settings(
    batch_size=16,
    pretrain_steps=500,
    finetune_steps=300,
    learning_rate=0.05,
    finetune_samples_per_class=64,
    calibration_samples_per_class=8,
    root_seed=3,
)


@pytest.mark.parametrize(
    ("cell", "key", "pretrain_key"),
    [
        (
            CELL,
            "7f770db02bf0773458c40f8ff12323fca177502f68aa1600576275cf92691326",
            "5378606b588b43ab57ba3da57b9f646a54ea37d97466b44ac82bfd285d466718",
        ),
        (
            replace(CELL, arm=replace(MIXUP, settings=OTHER)),
            "ab79580bd1569f3d8fa8b60e1c9c52f5c41bae3a92f56661fcf841ea69691ddf",
            "945684589f0c50e973f115478bbc4d1ff305578ad881a73d3e8de75ae29369ba",
        ),
        (
            replace(CELL, samples_per_class=0),
            "96308367196649ddf167a03e9b598cd050902af2ba3fff24b0df6a5df1fe9378",
            "d41d96f1782ee77d5b7bf3fe1195591f1ab4a6e6821a4cd16148399a836491b5",
        ),
        (
            replace(CELL, samples_per_class=None),
            "4b48cbc2c4cb866b6c9be2c4831624557f1fa98a0938e6dd5fc80e9b64d4d679",
            "461e52d28fbd8066497eae1d23c3a2059cf5dd78206f912ea6837f33eeccf0d4",
        ),
    ],
)
def test_cells_that_were_stored_once_are_found_for_ever(cell, key, pretrain_key):
    assert (cell.key, cell.pretrain_key) == (key, pretrain_key)


@pytest.mark.parametrize(
    ("study", "digest"),
    [
        (STUDY, "6490fb75ea24035986fd70270750e6e705fa12b42da3371a3be683c145e0bebe"),
        (
            replace(STUDY, settings=OTHER, ruler_sizes=(8,), references=True, test_every=500),
            "dcbf696bec21239cd0907a642927a5adb9396865e51b94feecd13859d2ee2947",
        ),
    ],
)
def test_a_study_that_was_stored_once_keeps_its_number(study, digest):
    assert study_key(study.to_json(), [cell.key for cell in study.cells()]) == digest


def test_names_and_labels_are_not_part_of_a_key():
    renamed = replace(
        CELL,
        pretrain=replace(DIGITS, name="folder:/home/me/digits", classes=("zero", "one")),
        arm=mixup(label="mixup:alpha=0.3"),
    )
    assert renamed.key == CELL.key


def test_finetunings_of_one_pretraining_share_its_key():
    other = replace(CELL, finetune=DIGITS, arm=replace(MIXUP, settings=Settings(finetune_steps=7)))
    assert other.pretrain_key == CELL.pretrain_key
    assert other.key != CELL.key


def test_a_recorded_cell_comes_back_as_it_was(tmp_path):
    with Store.open(tmp_path) as store:
        store.plan(STUDY, STUDY.cells(), "augbench run")
        store.record(CELL, RESULT, {"python": "3.14"}, "cpu")
    with Store.read(tmp_path) as store:
        study = store.study()
    assert study.command == "augbench run"
    (cell,) = [cell for cell in study.cells if cell.status == "ok"]
    assert cell.result == RESULT
    assert (cell.augmentation, cell.samples_per_class, cell.seed) == ("mixup", 4, 0)
    assert cell.environment == {"python": "3.14"}
    assert sum(cell.status == "missing" for cell in study.cells) == len(STUDY.cells()) - 1


def test_a_failure_is_retried_but_never_hides_a_result(tmp_path):
    failure = CellResult(CELL.key, error="RuntimeError: no", traceback="…")
    with Store.open(tmp_path) as store:
        store.record(CELL, failure, {}, "cpu")
        assert store.finished([CELL.key]) == {}
        store.record(CELL, RESULT, {}, "cpu")
        store.record(CELL, failure, {}, "cpu")
        assert store.finished([CELL.key]) == {CELL.key: 0.75}


def test_test_curves_are_computed_where_they_were_not_asked_for_before(tmp_path):
    with Store.open(tmp_path) as store:
        store.record(CELL, RESULT, {}, "cpu")
        assert store.finished([CELL.key], Wanted(test_every=500)) == {}
        curve = TrainingCurve((50,), (1.0,), (0.5,), (500, 1000), (1.0, 0.9), (0.5, 0.6))
        store.record(CELL, replace(RESULT, curves={"finetune": curve}), {}, "cpu")
        assert store.finished([CELL.key], Wanted(test_every=500)) == {CELL.key: 0.75}
        assert store.finished([CELL.key]) == {CELL.key: 0.75}


def test_the_same_study_keeps_its_number_and_the_latest_run_is_the_default(tmp_path):
    smaller = replace(STUDY, seeds=1)
    with Store.open(tmp_path) as store:
        first = store.plan(STUDY, STUDY.cells(), "one")
        second = store.plan(smaller, smaller.cells(), "two")
        assert store.study().id == second
        assert store.plan(STUDY, STUDY.cells(), "one") == first
        assert store.study().id == first
        assert store.study(second).command == "two"
        with pytest.raises(StoreError, match=r"no study 7 .* \[1, 2\]"):
            store.study(7)


def test_more_cells_than_sqlite_takes_variables_can_be_looked_up(tmp_path):
    with Store.open(tmp_path) as store:
        assert store.finished([f"{i:064x}" for i in range(3000)]) == {}


def test_a_missing_a_foreign_and_a_newer_store_are_one_clear_line(tmp_path):
    with pytest.raises(StoreError, match="no store at"):
        Store.read(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="not a database"):
        Store.read(tmp_path)
    with pytest.raises(StoreError, match="not a database"):
        Store.open(tmp_path)
    newer = tmp_path / "newer"
    Store.open(newer).close()
    connection = sqlite3.connect(newer / FILE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for opener in (Store.open, Store.read):
        with pytest.raises(StoreError, match="store format 99"):
            opener(newer)


def test_no_connection_is_left_open_when_a_store_is_refused(tmp_path, monkeypatch):
    opened = []
    connect = sqlite3.connect

    class Counted(sqlite3.Connection):
        def close(self):
            super().close()
            opened.remove(self)

    def counting(*args, **options):
        opened.append(connect(*args, factory=Counted, **options))
        return opened[-1]

    folders = [tmp_path / name for name in ("sound", "newer", "damaged")]
    for folder in folders[:2]:
        Store.open(folder).close()
    with connect(folders[1] / FILE_NAME) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    folders[2].mkdir()
    (folders[2] / FILE_NAME).write_bytes(b"not a database at all" * 100)
    monkeypatch.setattr(sqlite3, "connect", counting)
    for opener in (Store.open, Store.read):
        with opener(folders[0]):
            assert len(opened) == 1
        for folder in folders[1:]:
            with pytest.raises(StoreError):
                opener(folder)
        assert opened == []


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot create the folder"):
        Store.open(tmp_path / "file" / "out")


def test_an_empty_store_holds_no_study(tmp_path):
    with Store.open(tmp_path) as store, pytest.raises(StoreError, match="holds no study"):
        store.study()


def test_a_store_can_be_read_while_it_is_written(tmp_path):
    with Store.open(tmp_path) as writer, Store.read(tmp_path) as reader:
        writer.record(CELL, RESULT, {}, "cpu")
        assert reader.finished([CELL.key])


def test_a_study_describes_itself_as_json():
    text = json.dumps(STUDY.to_json())
    assert json.loads(text)["samples_per_class"] == [1, 4]


def test_seeds_added_after_a_run_are_marked(tmp_path):
    fewer = replace(STUDY, seeds=1)
    with Store.open(tmp_path) as store:
        first = store.plan(fewer, fewer.cells(), "one")
        second = store.plan(STUDY, STUDY.cells(), "two")
        other = replace(STUDY, samples_per_class=(1,))
        third = store.plan(other, other.cells(), "three")
        assert store.study(first).first_seeds is None
        assert store.study(second).first_seeds == 1
        assert store.study(third).first_seeds is None
