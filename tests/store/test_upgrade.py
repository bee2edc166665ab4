"""Stores as earlier formats wrote them, opened by today's code."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from damage import rewrite
from synthetic import fill, make_study

from augbench.datasets.contract import DatasetInfo
from augbench.errors import StoreError, StoreWarning
from augbench.plugins.components import Component
from augbench.protocol.study import Arm, Cell, Settings, Study
from augbench.protocol.wanted import Wanted
from augbench.results import StudyResult
from augbench.store import Store, problems
from augbench.store._studies import all_studies, plan_checksum

SCHEMA_1 = """
CREATE TABLE environments (id TEXT PRIMARY KEY, description TEXT NOT NULL);
CREATE TABLE cells (key TEXT PRIMARY KEY, pretrain_key TEXT, protocol INTEGER,
    pretrain_dataset TEXT, finetune_dataset TEXT, backbone TEXT, augmentation TEXT,
    samples_per_class INTEGER, seed INTEGER, settings TEXT, status TEXT, error TEXT,
    traceback TEXT, metrics TEXT, curves TEXT, correct BLOB, engine TEXT, device TEXT,
    seconds REAL, finished_at REAL, environment TEXT);
CREATE TABLE studies (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, description TEXT,
    command TEXT, created_at REAL, last_run_at REAL);
CREATE TABLE plans (study INTEGER, position INTEGER, key TEXT, pretrain_dataset TEXT,
    finetune_dataset TEXT, augmentation TEXT, samples_per_class INTEGER, seed INTEGER,
    PRIMARY KEY (study, position));
PRAGMA user_version = 1;
"""
DIGITS = DatasetInfo("digits", "aa" * 32, (1, 16, 16), ("a", "b"), (9, 9), 20)
SETTINGS = Settings(pretrain_steps=500)
CONVNET = Component(
    "backbone", "convnet", (("dropout", 0.5),), version="1", source_hash="s1", label="convnet"
)


def component(name, *, version="1", distribution="augbench", varied=(), **parameters):
    label = ",".join(f"{key}={parameters[key]}" for key in varied)
    return Component(
        "augmentation",
        name,
        tuple(sorted(parameters.items())),
        distribution,
        version,
        "s2",
        frozenset(varied),
        f"{name}:{label}" if label else name,
    )


NONE = component("none")
MIXUP = component("mixup", alpha=0.3)
STRONG = component("mixup", alpha=1.0, varied=["alpha"])
CUTMIX = component("cutmix", distribution="theirs", alpha=1.0)


def old_identity(one):
    return {
        "name": one.name,
        "parameters": dict(one.parameters),
        "distribution": one.distribution,
        "version": one.version,
        "source": one.source_hash,
    }


def bits(right):
    """So many of 20 images are right."""
    return ((1 << right) - 1 << 24 - right).to_bytes(3, "big")


def cell(augmentation, settings=SETTINGS):
    return Cell(DIGITS, DIGITS, CONVNET, Arm.of(augmentation, settings), 4, 0)


def study(*augmentations):
    arms = tuple(Arm.of(one, SETTINGS) for one in augmentations)
    return Study(
        ((DIGITS, DIGITS),), arms, CONVNET, (4,), 1, SETTINGS, baseline=Arm.of(NONE, SETTINGS)
    )


def write_old_store(folder, *studies):
    """Studies are lists of augmentations; each is computed, under keys as good as any."""
    folder.mkdir()
    connection = sqlite3.connect(folder / "augbench.sqlite")
    connection.executescript(SCHEMA_1)
    for number, augmentations in enumerate(studies, 1):
        description = study(*augmentations).to_json()
        del description["arms"]
        description["augmentations"] = [
            {"label": one.label, **old_identity(one)} for one in augmentations
        ]
        description["backbone"] = {"label": CONVNET.label, **old_identity(CONVNET)}
        connection.execute(
            "INSERT INTO studies VALUES (?, ?, ?, 'augbench run', ?, ?)",
            (number, f"study {number}", json.dumps(description), number, number),
        )
        for position, one in enumerate(augmentations):
            key = f"old {one.label} {one.version}"
            settings = {
                **SETTINGS.to_json(),
                "backbone": old_identity(CONVNET),
                "augmentation": old_identity(one),
                "pretrain_dataset": DIGITS.content_hash,
                "finetune_dataset": DIGITS.content_hash,
            }
            connection.execute(
                f"INSERT OR REPLACE INTO cells VALUES ({','.join('?' * 21)})",
                (
                    *(key, "", 1, "digits", "digits", "convnet", one.label, 4, 0),
                    *(json.dumps(settings), "ok", None, None),
                    *(json.dumps({"accuracy": 0.5 + number / 10}), "{}"),
                    *(bits(10 + 2 * number), "packed", "cpu"),
                    *(1.0, float(number), "e"),
                ),
            )
            connection.execute(
                "INSERT INTO plans VALUES (?, ?, ?, 'digits', 'digits', ?, 4, 0)",
                (number, position, key, one.label),
            )
    connection.commit()
    connection.close()


@pytest.mark.parametrize("one", [NONE, MIXUP, STRONG], ids=lambda one: one.label)
def test_cells_of_the_first_format_are_found_under_their_new_keys(tmp_path, one):
    write_old_store(tmp_path / "old", [NONE, MIXUP, STRONG])
    with Store.open(tmp_path / "old") as store:
        assert store.finished([cell(one).key]) == {cell(one).key: 0.6}
        assert store.finished([cell(one, replace(SETTINGS, batch_size=9)).key]) == {}


def test_a_study_of_the_first_format_keeps_its_number_and_its_results(tmp_path):
    write_old_store(tmp_path / "old", [NONE, MIXUP])
    with Store.read(tmp_path / "old") as store:
        found = store.study(1)
    assert [(c.augmentation, c.budget, c.status) for c in found.cells] == [
        ("none", "500 steps", "ok"),
        ("mixup", "500 steps", "ok"),
    ]
    again = study(NONE, MIXUP)
    with Store.open(tmp_path / "old") as store:
        assert store.plan(again, again.cells(), "augbench run") == 1


def test_a_study_that_a_release_made_twice_becomes_one_with_the_later_result(tmp_path):
    newer = [replace(one, version="2") for one in (NONE, MIXUP)]
    write_old_store(tmp_path / "old", [NONE, MIXUP], newer)
    with Store.open(tmp_path / "old") as store:
        assert [number for number, *_ in store.studies()] == [1]
        assert store.finished([cell(MIXUP).key]) == {cell(MIXUP).key: 0.7}


def test_a_cell_whose_draws_are_others_today_stays_with_its_study_alone(tmp_path):
    write_old_store(tmp_path / "old", [NONE, CUTMIX])
    with Store.open(tmp_path / "old") as store:
        assert [c.status for c in store.study(1).cells] == ["ok", "ok"]
        assert store.finished([cell(CUTMIX).key]) == {}


@pytest.fixture
def format_4(tmp_path):
    """A store as format 4 was: each cell has the text of its settings."""
    folder = tmp_path / "store"
    fill(folder, STUDY, fail=[("mixup", 2, 1)])
    text = "(SELECT text FROM settings WHERE id = cells.settings)"
    rewrite(folder, f"UPDATE cells SET settings = {text}", sign=True)
    rewrite(folder, "DROP TABLE settings")
    rewrite(folder, "PRAGMA user_version = 4")
    return folder


@pytest.fixture
def format_3(format_4):
    """A store as format 3 was: no predicted classes, no test labels, one readout, no trials."""
    folder = format_4
    rewrite(folder, "UPDATE cells SET predicted = NULL", sign=True)
    with closing(sqlite3.connect(folder / "augbench.sqlite")) as database:
        database.execute("DROP TABLE test_labels")
        database.execute("ALTER TABLE cells DROP COLUMN predicted")
        for column in ("readout", "finetune_samples", "role", "trial", "fold"):
            database.execute(f"ALTER TABLE plans DROP COLUMN {column}")
        for number, *_ in all_studies(database):
            plan = database.execute(
                "SELECT position, key, pretrain_dataset, finetune_dataset, arm, budget, "
                "samples_per_class, seed FROM plans WHERE study = ? ORDER BY position",
                (number,),
            )
            database.execute(
                "UPDATE studies SET plan_checksum = ? WHERE id = ?", (plan_checksum(plan), number)
            )
        database.commit()
        database.execute("PRAGMA user_version = 3")
    return folder


@pytest.fixture
def format_2(format_3):
    """A store as format 2 was: no checksums, kinds of failures or packs, and no mark of ours."""
    folder = format_3
    with closing(sqlite3.connect(folder / "augbench.sqlite")) as database:
        for table in ("packs", "runs", "claims"):
            database.execute(f"DROP TABLE {table}")
        for column in ("failure", "pack", "test_images", "checksum"):
            database.execute(f"ALTER TABLE cells DROP COLUMN {column}")
        for column in ("checksum", "plan_checksum"):
            database.execute(f"ALTER TABLE studies DROP COLUMN {column}")
        database.execute("PRAGMA user_version = 2")
        database.execute("PRAGMA application_id = 0")
    return folder


STUDY = make_study(["mixup"], seeds=2, sizes=(1, 2))


@pytest.mark.parametrize("opener", [Store.open, Store.read])
def test_a_store_of_the_second_format_is_upgraded_in_place_and_signed(format_2, tmp_path, opener):
    fill(tmp_path / "new", STUDY, fail=[("mixup", 2, 1)])
    with opener(format_2) as store, Store.read(tmp_path / "new") as new:
        found, expected = store.study(), new.study()
        assert problems(store) == []
    for mine, theirs in zip(found.cells, expected.cells, strict=True):
        same = theirs.result and replace(theirs.result, predicted=b"")  # which it never had
        assert (mine.key, mine.status, mine.result) == (theirs.key, theirs.status, same)
    with Store.open(format_2) as store:
        assert store.plan(STUDY, STUDY.cells(), "augbench run") == found.id


@pytest.mark.parametrize("opener", [Store.open, Store.read])
def test_a_store_of_the_fourth_format_is_what_today_s_code_writes(format_4, tmp_path, opener):
    damaged = STUDY.cells()[0].key
    rewrite(format_4, "UPDATE cells SET settings = 'x' WHERE key = ?", (damaged,))
    fill(tmp_path / "new", STUDY, fail=[("mixup", 2, 1)])
    with opener(format_4) as store, Store.read(tmp_path / "new") as new:
        assert [one.table for one in problems(store)] == ["cells"]
        with pytest.warns(StoreWarning, match="1 damaged cell in"):
            found = store.study().cells
        for mine, theirs in zip(found, new.study().cells, strict=True):
            if mine.key != damaged:
                assert (mine.status, mine.result) == (theirs.status, theirs.result)
        old, today = (
            {one.settings["augmentation"]["name"] for one in each.times()} for each in (store, new)
        )
        assert old == today == {"none", "mixup"}


@pytest.mark.parametrize("opener", [Store.open, Store.read])
def test_cells_of_the_third_format_stay_sound_and_lack_predictions_alone(format_3, opener):
    keys = [cell.key for cell in STUDY.cells()]
    with opener(format_3) as store:
        assert problems(store) == []
        found = store.study()
        assert {cell.status for cell in found.cells} == {"ok", "failed"}
        assert found.test_labels == {}
        assert len(store.finished(keys)) == len(keys) - 1
        assert store.finished(keys, Wanted(predictions=True)) == {}
    assert np.isnan(StudyResult(found, metric="macro_f1").values(*PLACE)).all()
    fill(format_3, STUDY)
    with Store.read(format_3) as store:
        assert store.finished(keys, Wanted(predictions=True)).keys() == set(keys)
        assert not np.isnan(StudyResult(store.study(), metric="macro_f1").values(*PLACE)).any()


PLACE = (("digits", "letters"), "mixup")


@pytest.mark.parametrize(
    "change",
    [
        "metrics = '{'",
        "curves = '[1]'",
        "settings = ''",
        "correct = x'ff'",
        "seed = 'x'",
        "metrics = json_set(metrics, '$.accuracy', 0.9999)",
    ],
)
def test_damage_of_the_second_format_is_found_when_it_is_upgraded(format_2, change):
    rewrite(format_2, f"UPDATE cells SET {change} WHERE key = ?", (STUDY.cells()[0].key,))
    with Store.open(format_2) as store, pytest.warns(StoreWarning, match="1 damaged cell in"):
        assert [cell.status for cell in store.study().cells].count("missing") == 1


def test_a_damaged_study_of_an_older_format_costs_itself_alone(format_2, tmp_path):
    rewrite(format_2, "UPDATE studies SET description = '{'")
    with Store.open(format_2) as store:
        assert len(store.finished(cell.key for cell in STUDY.cells())) == len(STUDY.cells()) - 1
        with pytest.raises(StoreError, match=r"study 1 in .* is damaged"):
            store.study()
    write_old_store(tmp_path / "old", [NONE, MIXUP], [NONE])
    rewrite(tmp_path / "old", "UPDATE studies SET description = 'x' WHERE id = 2")
    rewrite(tmp_path / "old", "UPDATE cells SET settings = 'x' WHERE key LIKE 'old mixup%'")
    with Store.open(tmp_path / "old") as store:
        assert [number for number, *_ in store.studies()] == [1]
        assert store.finished([cell(NONE).key]).keys() == {cell(NONE).key}
