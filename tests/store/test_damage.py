"""Rows that are not as they were written: their cells are missing, and nothing else is lost."""

import json
import os
import shutil
import sqlite3
import warnings
from contextlib import suppress
from dataclasses import replace

import pytest
from damage import rewrite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic import ENVIRONMENT, fill, invent, make_study

from augbench.errors import AugbenchError, StoreError, StoreWarning
from augbench.protocol.wanted import Wanted
from augbench.reports.export import export
from augbench.results import StudyResult
from augbench.store import FILE_NAME, Owner, Store, merge, problems

STUDY = make_study(["mixup"], seeds=2, sizes=(1, 2))
CELLS = STUDY.cells()
KEYS = [cell.key for cell in CELLS]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filled")
    fill(folder, STUDY)
    with Store.open(folder) as opened:
        for cell in CELLS:
            opened.claim(
                [cell.key], Owner.of_this_process(), ignore=True, wanted=Wanted(test_every=1)
            )
    return folder


@pytest.fixture
def store(filled, tmp_path):
    shutil.copytree(filled, tmp_path / "store")
    return tmp_path / "store"


DAMAGE = {
    "cut JSON": "metrics = substr(metrics, 1, 40)",
    "JSON of another kind": "metrics = '[1]'",
    "curves cut": "curves = substr(curves, 1, 40)",
    "text for a number": "seconds = 'soon'",
    "text for a seed": "seed = 'zero'",
    "bits cut": "correct = substr(correct, 1, 3)",
    "a bit turned": "correct = x'00' || substr(correct, 2)",
    "another accuracy": "metrics = json_set(metrics, '$.accuracy', 0.999)",
    "letters that are none": "engine = CAST(x'ff41fe' AS TEXT)",
    "another status": "status = 'fine'",
    "another machine": "device = 'cuda'",
    "predictions gone": "predicted = NULL",
    "predictions cut": "predicted = substr(predicted, 1, 20)",
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_row_is_a_missing_cell_and_the_others_stand(store, change):
    assert rewrite(store, f"UPDATE cells SET {change} WHERE key = ?", (KEYS[3],)) == 1
    with Store.read(store) as opened:
        with pytest.warns(
            StoreWarning, match=r"^1 damaged cell in .*: counted as missing, .*augbench verify`"
        ):
            study = opened.study()
        if change.startswith("status"):  # then it is no result, to begin with
            found = opened.finished(KEYS)
        else:
            with pytest.warns(StoreWarning, match="1 damaged cell in"):
                found = opened.finished(KEYS)
    assert study.damaged == {KEYS[3]}
    assert [cell.status for cell in study.cells].count("ok") == len(KEYS) - 1
    assert study.cells[3].status == "missing"
    assert found.keys() == set(KEYS) - {KEYS[3]}


@pytest.mark.parametrize(
    "change",
    [
        {"correct": b"\xff" * 63},
        {"correct": b"\xff" * 10},
        {"metrics": {"nll": 1.0}},
        {"metrics": {"accuracy": 1.5}},
        {"metrics": {"accuracy": float("nan")}},
    ],
)
def test_metrics_that_contradict_the_bits_are_damage_however_they_came_about(tmp_path, change):
    with Store.open(tmp_path) as store:
        store.record(CELLS[0], replace(invent(CELLS[0], STUDY), **change), ENVIRONMENT, "cpu")
        with pytest.warns(StoreWarning, match="1 damaged cell in"):
            assert store.finished(KEYS) == {}


def test_a_damaged_row_is_written_anew_by_any_later_outcome(store):
    rewrite(store, "UPDATE cells SET correct = x'00'")
    with Store.open(store) as opened:
        for cell in CELLS:
            assert opened.record(cell, invent(cell, STUDY), ENVIRONMENT, "cpu")
        assert opened.finished(KEYS).keys() == set(KEYS)


def test_every_verb_reports_damage_in_one_line(augbench, store, tmp_path):
    rewrite(store, "UPDATE cells SET metrics = '{' WHERE key = ?", (KEYS[0],))
    whole = tmp_path / "whole"
    fill(whole, STUDY)
    for arguments in (
        ("report", "--out", store, "--no-figures"),
        ("export", tmp_path / "cells.csv", "--out", store),
        ("compare", store, whole),
    ):
        code, _, errors = augbench(*arguments)
        assert code == 0
        (line,) = errors.splitlines()
        assert line.startswith("warning: 1 damaged cell in ")
    code, printed, errors = augbench("merge", store, "--out", tmp_path / "merged")
    assert (code, printed.split()[0]) == (0, str(len(KEYS) - 1))
    assert errors == (
        "warning: left out as damaged: 1 cells and studies; `augbench verify` lists them\n"
    )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE studies SET description = substr(description, 1, 99)",
        "UPDATE studies SET description = json_set(description, '$.seeds', 'x')",
        "UPDATE studies SET created_at = 'yesterday'",
        "UPDATE studies SET created_at = -1e11",
        "UPDATE studies SET last_run_at = 'now'",
        "UPDATE plans SET seed = 'x' WHERE position = 2",
        "UPDATE plans SET arm = 'other' WHERE position = 2",
        "DELETE FROM plans WHERE position = 0",
    ],
)
def test_a_damaged_study_is_one_line_until_it_is_planned_again(augbench, store, change):
    assert rewrite(store, change) >= 1
    code, _, errors = augbench("report", "--out", store, "--no-figures")
    assert code == 2
    (line,) = errors.splitlines()
    assert line.startswith("error: study 1 in ")
    assert "is damaged" in line
    assert "augbench verify" in line
    with Store.open(store) as opened:
        number = opened.plan(STUDY, CELLS, "augbench run")
        assert {cell.status for cell in opened.study(number).cells} == {"ok"}


def test_a_damaged_environment_is_left_out_and_mended_by_the_next_cell(store):
    rewrite(store, "UPDATE environments SET description = '{'")
    with Store.open(store) as opened:
        assert dict(opened.study().cells[0].environment) == {}
        rewrite(store, "DELETE FROM cells WHERE key = ?", (KEYS[0],))
        opened.record(CELLS[0], invent(CELLS[0], STUDY), ENVIRONMENT, "cpu")
        assert dict(opened.study().cells[0].environment) == ENVIRONMENT


def test_damaged_settings_cost_no_result_and_are_mended_by_the_next_cell(store, augbench):
    assert rewrite(store, "UPDATE settings SET text = '{'") == 2, "one for each arm"
    with Store.open(store) as opened:
        assert {cell.status for cell in opened.study().cells} == {"ok"}
        assert opened.times() == []
        assert augbench("verify", "--out", store)[0] == 1
        rewrite(store, "DELETE FROM cells WHERE key = ?", (KEYS[0],))
        opened.record(CELLS[0], invent(CELLS[0], STUDY), ENVIRONMENT, "cpu")
        assert len(opened.times()) > 1
        assert [one.table for one in problems(opened)] == ["settings"]


@pytest.mark.parametrize("opener", [Store.open, Store.read])
def test_another_programs_database_is_refused_and_stays_as_it_is(tmp_path, opener):
    path = tmp_path / FILE_NAME
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE photos (id)")
    database.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"another program's database, not a store of AugBench"):
        opener(tmp_path)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA application_id = 7")
        database.execute("DROP TABLE photos")
    database.close()
    with pytest.raises(StoreError, match="another program's database"):
        opener(tmp_path)
    assert path.stat().st_size == len(before)
    assert [one.name for one in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("opener", [Store.open, Store.read])
def test_what_is_no_file_of_sqlite_is_refused_in_one_line(tmp_path, opener):
    path = tmp_path / FILE_NAME
    path.mkdir()
    with pytest.raises(StoreError, match="is a folder, not a store of AugBench"):
        opener(tmp_path)
    path.rmdir()
    path.write_text("accuracy,seed\n")
    with pytest.raises(StoreError, match="is not a database, not a store"):
        opener(tmp_path)
    assert path.read_text() == "accuracy,seed\n"


def test_an_empty_file_is_told_of_and_a_run_begins_anew_in_it(tmp_path):
    (tmp_path / FILE_NAME).touch()
    with pytest.raises(StoreError, match="is empty: no store was written there"):
        Store.read(tmp_path)
    os.utime(tmp_path / FILE_NAME, (1e9, 1e9))
    with pytest.warns(StoreWarning, match="was empty; a new store begins there"):
        Store.open(tmp_path).close()
    Store.read(tmp_path).close()


@pytest.mark.parametrize("change", ["claims SET since = -1e11", "runs SET beaten_at = 'x'"])
def test_a_damaged_claim_is_free_and_shown_nowhere(augbench, store, change):
    rewrite(store, f"UPDATE {change}")
    code, printed, errors = augbench("status", "--out", store)
    assert (code, errors) == (0, "")
    assert "running" not in printed
    assert augbench("verify", "--out", store)[0] == 1
    with Store.open(store) as opened:
        rewrite(store, "DELETE FROM cells")
        assert opened.claim(KEYS, Owner.of_this_process()) == set(KEYS)


TABLES = {
    "cells": 26,
    "studies": 8,
    "plans": 9,
    "environments": 2,
    "packs": 2,
    "settings": 2,
    "runs": 6,
    "claims": 3,
    "test_labels": 5,
}
VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.binary(max_size=8),
    st.sampled_from(["{", "{}", "[]", "null", '{"accuracy": "x"}', "ok", "failed", "crashed"]),
)


@given(
    changes=st.lists(
        st.tuples(
            st.sampled_from(sorted(TABLES)),
            st.integers(0, 24),
            st.integers(0, 9),
            VALUES,
            st.sampled_from(["=", "cut", "drop"]),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
def test_nothing_but_a_result_or_one_line_comes_of_any_damage(
    filled, tmp_path_factory, augbench, changes
):
    folder = tmp_path_factory.mktemp("damaged") / "store"
    shutil.copytree(filled, folder)
    for table, column, row, value, how in changes:
        _damage(folder, table, column, row, value, how)
    page = folder / "cells.json"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)
        try:
            with Store.read(folder) as opened:
                opened.finished(KEYS)
                opened.given_up(KEYS)
                opened.claims()
                opened.studies()
                result = StudyResult(opened.study())
            export(result, page, "json")
            assert len(json.loads(page.read_text())["cells"]) == len(KEYS)
        except AugbenchError:
            pass
        try:
            merge([folder], folder.with_name("merged"))
        except AugbenchError:
            assert not folder.with_name("merged").exists()
    for arguments in (
        ("report", "--out", folder, "--no-figures"),
        ("compare", folder, filled),
        ("status", "--out", folder),
        ("verify", "--out", folder),
        ("retry", "--out", folder),
        ("backup", folder.with_name("copy"), "--out", folder),
    ):
        code, _, errors = augbench(*arguments)
        assert code in (0, 1, 2)
        assert "Traceback" not in errors
    assert augbench("verify", "--out", folder.with_name("copy"), "--repair")[0] == 0
    assert augbench("verify", "--out", folder.with_name("copy"))[0] == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)
        with Store.open(folder) as opened:
            number = opened.plan(STUDY, CELLS, "augbench run")
            for cell in CELLS:
                opened.record(cell, invent(cell, STUDY), ENVIRONMENT, "cpu")
            assert {cell.status for cell in opened.study(number).cells} == {"ok"}


def _damage(folder, table, column, row, value, how):
    connection = sqlite3.connect(folder / FILE_NAME)
    names = [line[1] for line in connection.execute(f"PRAGMA table_info({table})")]
    connection.close()
    name = names[column % len(names)]
    where = f"rowid = (SELECT rowid FROM {table} LIMIT 1 OFFSET {row})"
    if how == "drop":
        rewrite(folder, f"DELETE FROM {table} WHERE {where}")
    elif how == "cut":
        statement = f"UPDATE OR IGNORE {table} SET {name} = substr({name}, 1, length({name}) / 2)"
        _try(folder, f"{statement} WHERE {where}")
    else:
        _try(folder, f"UPDATE OR IGNORE {table} SET {name} = ? WHERE {where}", (value,))


def _try(folder, statement, values=()):
    with suppress(sqlite3.IntegrityError):  # an INTEGER PRIMARY KEY takes nothing else
        rewrite(folder, statement, values)
