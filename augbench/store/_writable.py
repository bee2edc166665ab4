"""Ask whether a store can be written, without making one."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from pathlib import Path

from augbench.errors import StoreError
from augbench.options import named
from augbench.store._schema import FILE_NAME, reason, sqlite_errors
from augbench.store._store import Store

__all__ = ["check_writable"]


def check_writable(folder: Path) -> None:
    """Raise the `StoreError` that `Store.open` would; leaves everything as it is.

    Permissions alone do not tell (root has all of them, and some file systems none), so a file is
    made where the store would be, and removed.
    """
    path = folder / FILE_NAME
    if path.exists() and not (path.is_file() and not path.stat().st_size):  # an empty one is new
        Store.read(folder).close()
        if not os.access(path, os.W_OK):
            with sqlite_errors(path):
                raise sqlite3.OperationalError("attempt to write a readonly database")
        return
    there = folder
    try:
        there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        if there == folder and there.exists():
            with sqlite_errors(path):
                raise sqlite3.OperationalError("unable to open database file") from None
        raise StoreError(
            f"cannot create the folder {str(folder)!r} ({reason(error)}); "
            f"name a writable one with {named('out')}"
        ) from error
