import hashlib
import json
import sqlite3
from dataclasses import replace

import pytest

from augbench.datasets.contract import DatasetInfo
from augbench.errors import StoreError
from augbench.plugins.components import Component
from augbench.protocol.cell_result import CellResult, TrainingCurve
from augbench.protocol.study import Cell, Settings, Study
from augbench.store import FILE_NAME, Store

DIGITS = DatasetInfo("digits", "aa" * 32, (1, 16, 16), ("0", "1"), (9, 9), 16)
LETTERS = DatasetInfo("letters", "bb" * 32, (1, 16, 16), ("a", "b", "c"), (9, 9, 9), 24)
CONVNET = Component("backbone", "convnet", (("dropout", 0.5),), source_hash="1", label="convnet")
NONE = Component("augmentation", "none", label="none")
MIXUP = Component("augmentation", "mixup", (("alpha", 0.3),), source_hash="2", label="mixup")
CELL = Cell(DIGITS, LETTERS, CONVNET, MIXUP, 4, 0)
STUDY = Study(((DIGITS, LETTERS),), (NONE, MIXUP), CONVNET, (1, 4), seeds=2, baseline=NONE)
RESULT = CellResult(
    CELL.key,
    {"accuracy": 0.75, "nll": 0.5},
    {
        "pretrain": TrainingCurve((50,), (1.0,), (0.5,)),
        "finetune": TrainingCurve((50,), (0.9,), (0.6,)),
    },
    b"\xf0\x01\x80",
    1.5,
    "reference",
)


@pytest.mark.parametrize(
    "other",
    [
        replace(CELL, seed=1),
        replace(CELL, samples_per_class=8),
        replace(CELL, samples_per_class=None),
        replace(CELL, augmentation=replace(MIXUP, parameters=(("alpha", 0.4),))),
        replace(CELL, augmentation=replace(MIXUP, source_hash="3")),
        replace(CELL, augmentation=replace(MIXUP, version="2")),
        replace(CELL, augmentation=replace(MIXUP, distribution="theirs")),
        replace(CELL, backbone=replace(CONVNET, source_hash="4")),
        replace(CELL, pretrain=replace(DIGITS, content_hash="cc" * 32)),
        replace(CELL, finetune=replace(LETTERS, content_hash="cc" * 32)),
        *(
            replace(CELL, settings=replace(Settings(), **{name: value}))
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
            "22030ff662dd811c9e9e5fc5f190335dad6730117f9cd4cd978ced7b61f0beb8",
            "ea3319409eeda70a955b729f41d753852c29f92c6dc753931611db2ec78b8583",
        ),
        (
            replace(CELL, settings=OTHER),
            "deda8cdadd80755d0a0f37a3f1d564a81eeb5bf97f40ff5a89628117ca1dcb13",
            "93f3c11538432ebce39db576b08192139445a936a710fbe1dc589eed46cc77a3",
        ),
        (
            replace(CELL, samples_per_class=0),
            "8c428a0c355e50d3bc5159a90aca01ce3e44075397f3a5362c78c566a0ec3e96",
            "31aabb635a03ba7be90736dcd986f216a36051e6c4dc99b3d930f8a616816ad7",
        ),
        (
            replace(CELL, samples_per_class=None),
            "d4c87de5d083709f4c40ba74df4b50948e189b615dcd9e92dfd92ac10ec0dc26",
            "a27cac82f729b07066334e209e92a5190726ee665e30b9d8d474fbb6eb239854",
        ),
    ],
)
def test_cells_that_were_stored_once_are_found_for_ever(cell, key, pretrain_key):
    assert (cell.key, cell.pretrain_key) == (key, pretrain_key)


@pytest.mark.parametrize(
    ("study", "digest"),
    [
        (STUDY, "1e5522c6c413db14dfccc49dd3eb0ee1c22236eb29cc408dd8aab975db55d10d"),
        (
            replace(STUDY, settings=OTHER, ruler_sizes=(8,), references=True, test_every=500),
            "33d465f0a6475a94ccee71eb2927529d9053e65e18e9d66f5754e0467527c306",
        ),
    ],
)
def test_a_study_that_was_stored_once_keeps_its_number(study, digest):
    text = json.dumps(study.to_json(), sort_keys=True, allow_nan=False)
    assert hashlib.sha256(text.encode()).hexdigest() == digest


def test_names_and_labels_are_not_part_of_a_key():
    renamed = replace(
        CELL,
        pretrain=replace(DIGITS, name="folder:/home/me/digits", classes=("zero", "one")),
        augmentation=replace(MIXUP, label="mixup:alpha=0.3"),
    )
    assert renamed.key == CELL.key


def test_finetunings_of_one_pretraining_share_its_key():
    other = replace(CELL, finetune=DIGITS, settings=Settings(finetune_steps=7))
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
        assert store.finished([CELL.key], test_every=500) == {}
        curve = TrainingCurve((50,), (1.0,), (0.5,), (500, 1000), (1.0, 0.9), (0.5, 0.6))
        store.record(CELL, replace(RESULT, curves={"finetune": curve}), {}, "cpu")
        assert store.finished([CELL.key], test_every=500) == {CELL.key: 0.75}
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
