"""Stores that went wrong: their tables changed behind the back of the code."""

import sqlite3
from contextlib import closing

from augbench.store import FILE_NAME
from augbench.store._checksums import COLUMNS, CellRow, signed


def rewrite(folder, statement, values=(), *, sign=False):
    """Run a statement on a store's database, whatever it allows; returns the changed rows' number.

    With `sign`, cells get new checksums, as if they had been written so.
    """
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as database:
        database.execute("PRAGMA ignore_check_constraints = 1")
        changed = database.execute(statement, values).rowcount
        if sign:
            for row in map(
                CellRow._make, database.execute(f"SELECT {COLUMNS} FROM cells").fetchall()
            ):
                database.execute(
                    "UPDATE cells SET checksum = ? WHERE key = ?", (signed(row).checksum, row.key)
                )
    return changed
