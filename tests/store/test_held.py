"""A store that is locked, full, deleted or replaced while it is written."""

import os
import shutil
import sqlite3
import threading
from contextlib import contextmanager

import pytest
from synthetic import ENVIRONMENT, fill, invent, make_study

from augbench.errors import StoreBusyError, StoreWarning
from augbench.store import FILE_NAME, Owner, Store

STUDY = make_study(["mixup"], seeds=2, sizes=(1, 2))
CELLS = STUDY.cells()
KEYS = [cell.key for cell in CELLS]


def record(store, cell):
    return store.record(cell, invent(cell, STUDY), ENVIRONMENT, "cpu")


@contextmanager
def locked(folder):
    """Another program writes for as long as it likes."""
    other = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_locked_store_is_an_error_that_passes(tmp_path):
    with Store.open(tmp_path, patience=0.1) as store:
        with locked(tmp_path), pytest.raises(StoreBusyError, match="another program holds it"):
            record(store, CELLS[0])
        assert record(store, CELLS[0])


def test_a_full_disk_is_an_error_that_passes_and_nothing_is_half_written(tmp_path):
    fill(tmp_path, STUDY, skip=[("none", 1, 0)])
    with Store.open(tmp_path) as store:
        with store.connection() as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")
        outcome = (CELLS[0], invent(CELLS[0], STUDY), ENVIRONMENT, "x" * 100_000)
        with pytest.raises(StoreBusyError, match="the disk is full"):
            store.record(*outcome, pack=KEYS)
        with store.connection() as connection:
            connection.execute(f"PRAGMA max_page_count = {2 * pages + 100}")
        assert store.record(*outcome, pack=KEYS)
        assert store.finished(KEYS).keys() == set(KEYS)


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be deleted there")
@pytest.mark.parametrize("what", ["file", "all files", "folder"])
def test_a_store_that_is_deleted_under_a_run_is_put_back(tmp_path, what):
    folder = tmp_path / "out"
    owner = Owner.of_this_process()
    with Store.open(folder) as store, Store.open(folder) as other:
        store.plan(STUDY, CELLS, "augbench run")
        for cell in CELLS[:3]:
            record(store, cell)
        store.claim(KEYS[5:], owner)
        if what == "folder":
            shutil.rmtree(folder)
        for path in folder.glob("*" if what == "all files" else FILE_NAME):
            path.unlink()
        with pytest.warns(StoreWarning, match=r"deleted or replaced .* its 3 cells were put back"):
            assert record(store, CELLS[3])
        assert record(store, CELLS[4])
        with pytest.warns(StoreWarning, match="were put back"):
            assert other.claim(KEYS, Owner.of_this_process()) == set()
        assert record(other, CELLS[5])
    with Store.read(folder) as store:
        assert store.finished(KEYS).keys() == set(KEYS[:6])
        assert len(store.study().cells) == len(KEYS)
        assert {claim.key for claim in store.claims()} == set(KEYS[6:])
        with store.connection() as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be deleted there")
def test_a_store_that_is_deleted_after_its_last_cell_is_put_back_when_it_is_closed(tmp_path):
    store = Store.open(tmp_path / "out")
    record(store, CELLS[0])
    shutil.rmtree(tmp_path / "out")
    with pytest.warns(StoreWarning, match="its 1 cells were put back"):
        store.close()
    with Store.read(tmp_path / "out") as again:
        assert again.finished(KEYS).keys() == {KEYS[0]}


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be replaced there")
def test_rows_are_merged_into_a_store_that_took_the_place(tmp_path):
    fill(tmp_path / "other", STUDY, skip=[("none", 1, 0), ("none", 1, 1)])
    with Store.open(tmp_path / "out") as store:
        record(store, CELLS[0])
        os.replace(tmp_path / "other" / FILE_NAME, tmp_path / "out" / FILE_NAME)
        with pytest.warns(StoreWarning, match="its 1 cells were put back"):
            record(store, CELLS[0])
        assert len(store.finished(KEYS)) == len(KEYS) - 1


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be replaced there")
def test_results_are_kept_while_something_else_stands_in_the_place(tmp_path):
    with Store.open(tmp_path) as store:
        record(store, CELLS[0])
        (tmp_path / FILE_NAME).unlink()
        (tmp_path / FILE_NAME).write_text("something else")
        with pytest.raises(StoreBusyError, match=r"cannot be put back: .*not a database"):
            record(store, CELLS[1])
        (tmp_path / FILE_NAME).unlink()
        with pytest.warns(StoreWarning, match="were put back"):
            record(store, CELLS[1])
        assert store.finished(KEYS).keys() == set(KEYS[:2])


def test_threads_share_a_store(tmp_path):
    with Store.open(tmp_path) as store:
        owner = Owner.of_this_process()
        threads = [
            threading.Thread(target=call)
            for cell in CELLS
            for call in (lambda cell=cell: record(store, cell), lambda: store.beat(owner))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.finished(KEYS).keys() == set(KEYS)


def test_stores_that_are_made_at_once_are_one(tmp_path):
    barrier, failures = threading.Barrier(6), []

    def make():
        try:
            barrier.wait()
            Store.open(tmp_path / "out").close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
