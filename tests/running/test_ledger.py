"""A result that the store does not take is kept, tried again, and never lost."""

import sqlite3

import pytest

from augbench.api import Observer, execute, plan
from augbench.errors import StoreBusyError, StoreError
from augbench.running import computing, ledger
from augbench.store import FILE_NAME, Store


class Locking(Observer):
    """Locks the store at the first result, and lets go at the last, or when it is waited for."""

    def __init__(self, path, until):
        self.path, self.until, self.ended, self.lines = path, until, 0, []
        self.lock = None

    def finished(self, cell, result):
        self.ended += 1
        if self.ended == 1:
            self.lock = sqlite3.connect(self.path, isolation_level=None)
            self.lock.execute("BEGIN IMMEDIATE")
        elif self.ended == self.until:
            self.lock.close()

    def waiting(self, text):
        self.lines.append(text)
        self.lock.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(computing, "_WRITE_PATIENCE", 0.05)
    monkeypatch.setattr(ledger, "_AGAIN_AFTER", 0.0)


@pytest.mark.parametrize("until", [5, 1000])
def test_a_locked_store_loses_nothing(tiny_options, until):
    watching = Locking(tiny_options.out / FILE_NAME, until)
    result = execute(plan(tiny_options), watching)
    assert not result.missing
    assert not result.failed
    assert bool(watching.lines) == (until > 8)
    assert all("waiting to store" in line for line in watching.lines)


def test_a_store_that_is_deleted_while_it_is_written_comes_back(tiny_options, recwarn):
    class Deleting(Observer):
        ended = 0

        def finished(self, cell, result):
            self.ended += 1
            if self.ended == 3:
                for path in tiny_options.out.glob(f"{FILE_NAME}*"):
                    path.unlink()

    execute(plan(tiny_options), Deleting())
    with Store.read(tiny_options.out) as store:
        assert all(cell.status == "ok" for cell in store.study().cells)


def test_what_can_never_be_written_goes_into_a_store_of_its_own(
    tiny_options, tmp_path, monkeypatch
):
    monkeypatch.setattr(ledger, "_PATIENCE", 0.0)
    monkeypatch.setattr(ledger.tempfile, "tempdir", str(tmp_path))
    full, record = tiny_options.out / FILE_NAME, Store.record

    def refusing(self, *arguments, **keywords):
        if self.path == full:
            raise StoreBusyError("the disk is full")
        return record(self, *arguments, **keywords)

    monkeypatch.setattr(Store, "record", refusing)
    with pytest.raises(StoreError, match=r"8 results could not be written into .* are kept in"):
        execute(plan(tiny_options))
    (spare,) = tmp_path.glob("augbench-unsaved-*")
    with Store.read(spare) as store:
        assert [cell.status for cell in store.study().cells] == ["ok"] * 8
