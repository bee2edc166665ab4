"""Backups: a copy of a store as it is at one moment, while runs go on writing to it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from augbench.pictures.archive import FILE_NAME as PICTURES
from augbench.store._publishing import new_store
from augbench.store._schema import FILE_NAME, sqlite_errors
from augbench.store._store import Store

__all__ = ["backup", "copy_database"]


def backup(source: Path, out: Path) -> int:
    """Copy the store in the folder `source`, with its pictures, into the folder `out`.

    Returns the number of its cells. Raises `StoreError` if there is no store, or `out` holds one
    already; nothing is left in `out` then.
    """
    with Store.read(source) as store, new_store(out) as folder:
        with sqlite_errors(folder / FILE_NAME):
            cells = copy_database(store, folder / FILE_NAME)
        pictures = store.path.with_name(PICTURES)
        if pictures.is_file():
            shutil.copyfile(pictures, folder / PICTURES)
    return cells


def copy_database(store: Store, path: Path) -> int:
    """Copy a store's database into a new file; returns the number of its cells."""
    with store.connection() as read, closing(sqlite3.connect(path)) as write:
        read.backup(write)
        with write:  # who computes what at the moment is no matter of the copy's
            write.execute("DELETE FROM claims")
            write.execute("DELETE FROM runs")
        (cells,) = write.execute("SELECT count(*) FROM cells").fetchone()
    return int(cells)
