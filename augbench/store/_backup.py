"""Backups: a copy of a store as it is at one moment, while runs go on writing to it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from augbench.pictures.archive import FILE_NAME as PICTURES
from augbench.store._cells import put, rows_of
from augbench.store._checksums import Damage, signed, sound_metrics
from augbench.store._publishing import new_store
from augbench.store._schema import FILE_NAME, REGISTRATIONS, sqlite_errors
from augbench.store._store import Store

__all__ = ["backup", "copy_database"]


def backup(source: Path, out: Path, *, slim: bool = False) -> int:
    """Copy the store in `source`, with its pictures and registrations, into the folder `out`.

    A slim copy lacks what takes the most room: training curves, and what was predicted for each
    test image. Returns the number of its cells. Raises `StoreError` if there is no store, or `out`
    holds one already; nothing is left in `out` then.
    """
    with Store.read(source) as store, new_store(out) as folder:
        with sqlite_errors(folder / FILE_NAME):
            cells = copy_database(store, folder / FILE_NAME)
            if slim:
                _slim(folder / FILE_NAME)
        beside = store.path.parent
        for path in (beside / PICTURES, *beside.glob(REGISTRATIONS)):
            if path.is_file():
                shutil.copyfile(path, folder / path.name)
    return cells


def _slim(path: Path) -> None:
    """Take the curves and predictions of all sound cells out of a database of nobody else's."""
    with closing(sqlite3.connect(path)) as database:
        with database:
            for (key,) in database.execute("SELECT key FROM cells").fetchall():
                (row,) = rows_of(database, [key])
                try:
                    sound_metrics(row)
                except Damage:  # it stays as it is, to be found
                    continue
                # Without the number of test images, no bits are expected.
                less = row._replace(curves="{}", correct=b"", test_images=None, predicted=None)
                put(database, signed(less))
        # No side files beside it where it is only read, as in a repository.
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("VACUUM")


def copy_database(store: Store, path: Path) -> int:
    """Copy a store's database into a new file; returns the number of its cells."""
    with store.connection() as read, closing(sqlite3.connect(path)) as write:
        read.backup(write)
        with write:  # who computes what at the moment is no matter of the copy's
            write.execute("DELETE FROM claims")
            write.execute("DELETE FROM runs")
        (cells,) = write.execute("SELECT count(*) FROM cells").fetchone()
    return int(cells)
