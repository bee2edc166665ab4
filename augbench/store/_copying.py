"""Copying rows from one database into another, where the better one stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from augbench.store._cells import put, rows_of
from augbench.store._checksums import COLUMNS, CellRow, Damage, content_id, sound_metrics
from augbench.store._labels import copy_labels
from augbench.store._schema import NAMED_TEXTS
from augbench.store._studies import ADD_TO_PLAN, all_studies, plan_checksum, plan_of

__all__ = ["Copied", "Meeting", "copy_cells", "copy_claims", "copy_studies"]

Meeting = Callable[[CellRow, CellRow], None]
"""Called with two sound rows of one cell, of which the first stays: they may not agree."""


@dataclass
class Copied:
    """The keys of written cells, and the numbers of those there already or left out as damaged."""

    written: list[str]
    shared: int = 0
    damaged: int = 0


def copy_cells(
    read: sqlite3.Connection, write: sqlite3.Connection, meet: Meeting | None = None
) -> Copied:
    """Copy cells and what they refer to, and test labels; what is damaged stays behind."""
    copy_labels(read, write)
    for table, column, _ in NAMED_TEXTS:
        rows = read.execute(f"SELECT id, {column} FROM {table}")
        write.executemany(
            f"INSERT OR IGNORE INTO {table} (id, {column}) VALUES (?, ?)",
            (row for row in rows if isinstance(row[1], str) and content_id(row[1]) == row[0]),
        )
    copied = Copied([])
    for row in map(CellRow._make, read.execute(f"SELECT {COLUMNS} FROM cells ORDER BY rowid")):
        try:
            sound_metrics(row)
        except Damage:
            copied.damaged += 1
            continue
        (known,) = rows_of(write, [row.key]) or (None,)
        if known is not None:
            copied.shared += 1
            if known.status == row.status == "ok" and meet is not None:
                meet(known, row)
            if known.status == "ok" or row.status != "ok":
                continue
        put(write, row)
        copied.written.append(row.key)
    return copied


def copy_studies(read: sqlite3.Connection, write: sqlite3.Connection) -> int:
    """Copy studies with their plans, numbered anew; the same study stays one.

    Returns the number of those that are damaged, which stay behind.
    """
    damaged = 0
    for study in sorted(all_studies(read), key=lambda study: study.id):
        plan = plan_of(read, study.id)
        try:
            study.described()
        except Damage:
            damaged += 1
            continue
        if plan_checksum(plan) != study.plan_checksum:
            damaged += 1
            continue
        write.execute(
            "INSERT INTO studies (key, description, command, created_at, last_run_at, checksum, "
            "plan_checksum) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
            "created_at = min(created_at, excluded.created_at), "
            "last_run_at = max(last_run_at, excluded.last_run_at)",
            study[1:],
        )
        (new,) = write.execute("SELECT id FROM studies WHERE key = ?", (study.key,)).fetchone()
        # Stores that differ in what trials have chosen, or before they had, differ in the end of
        # the plan: the longer one is taken whole.
        if len(plan) > len(plan_of(write, new)):
            write.execute("DELETE FROM plans WHERE study = ?", (new,))
            write.executemany(ADD_TO_PLAN, ((new, *line) for line in plan))
            write.execute(
                "UPDATE studies SET plan_checksum = ? WHERE id = ?", (study.plan_checksum, new)
            )
    return damaged


def copy_claims(read: sqlite3.Connection, write: sqlite3.Connection) -> None:
    """Copy what runs have claimed."""
    for table, width in (("runs", 6), ("claims", 3)):
        marks = ",".join("?" * width)
        rows = read.execute(f"SELECT * FROM {table}")
        write.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", rows)
