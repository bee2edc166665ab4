"""Verifying: every row of a store against its checksum, metrics against the bits of images."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from augbench.errors import StoreError
from augbench.protocol.study import place_name
from augbench.store._backup import copy_database
from augbench.store._checksums import (
    COLUMNS,
    CellRow,
    Damage,
    content_id,
    sound_metrics,
    thoroughly_sound,
)
from augbench.store._claims import CLAIM_KINDS, of_kinds
from augbench.store._labels import LABEL_COLUMNS, LabelRow, check_predictions, sound_labels
from augbench.store._schema import NAMED_TEXTS, sqlite_errors, transaction
from augbench.store._store import Store
from augbench.store._studies import STUDY_COLUMNS, StudyRow, plan_checksum, plan_of

__all__ = ["Problem", "problems", "repair"]


@dataclass(frozen=True)
class Problem:
    """Something in a store that is not as it was written, in one line.

    `table` and `rowid` are those of the row that is damaged; empty and 0 for the file itself.
    """

    text: str
    table: str = ""
    rowid: int = 0


def problems(store: Store) -> list[Problem]:
    """Everything that is wrong in a store: the file, and each row of its tables."""
    with store.connection() as connection:
        return list(dict.fromkeys(_problems(connection)))


def _problems(connection: sqlite3.Connection) -> Iterator[Problem]:
    for find in (_of_the_file, _of_texts, _of_labels, _of_cells, _of_studies, _of_claims):
        try:
            yield from find(connection)
        except sqlite3.Error as error:
            yield Problem(f"the file cannot be read to its end: {error}")


def _of_the_file(connection: sqlite3.Connection) -> Iterator[Problem]:
    for (line,) in connection.execute("PRAGMA integrity_check"):
        # Of values that a table does not allow, the rows' own checks say more.
        if line != "ok" and not line.startswith(("CHECK constraint failed", "NULL value in")):
            yield Problem(f"the file: {' '.join(str(line).split())}")


def _of_texts(connection: sqlite3.Connection) -> Iterator[Problem]:
    for table, column, what in NAMED_TEXTS:
        for number, name, text in connection.execute(f"SELECT rowid, id, {column} FROM {table}"):
            if not isinstance(text, str) or content_id(text) != name:
                yield Problem(f"{what} {name}: it does not agree with its id", table, number)


def _of_labels(connection: sqlite3.Connection) -> Iterator[Problem]:
    for number, *values in connection.execute(f"SELECT rowid, {LABEL_COLUMNS} FROM test_labels"):
        row = LabelRow._make(values)
        try:
            row.check()
        except Damage as damage:
            name = str(row.dataset)[:12]
            text = f"the test labels of the data set with content {name}…: {damage}"
            yield Problem(text, "test_labels", number)


def _of_cells(connection: sqlite3.Connection) -> Iterator[Problem]:
    datasets = [name for (name,) in connection.execute("SELECT dataset FROM test_labels")]
    labels = sound_labels(connection, datasets)
    true: dict[str, LabelRow | None] = {}
    for name, text in connection.execute("SELECT id, text FROM settings"):
        with suppress(ValueError, TypeError, AttributeError):  # told of by `_of_texts`
            true[name] = labels.get(json.loads(text).get("finetune_dataset"))
    for number, *values in connection.execute(f"SELECT rowid, {COLUMNS} FROM cells"):
        row = CellRow._make(values)
        try:
            sound_metrics(row)
            thoroughly_sound(row)
            check_predictions(row, true.get(row.settings))
        except Damage as damage:
            yield Problem(f"cell {_place(row)}: {damage}", "cells", number)


def _place(row: CellRow) -> str:
    """The place of a damaged row, as far as it can be read."""
    names = (row.pretrain_dataset, row.finetune_dataset, row.augmentation)
    sizes = (row.samples_per_class or 0, row.seed)
    if all(isinstance(size, int) for size in sizes):
        return place_name(*names, row.samples_per_class, row.seed)
    return f"{row.key!r:.24}"


def _of_studies(connection: sqlite3.Connection) -> Iterator[Problem]:
    for study in map(StudyRow._make, connection.execute(f"SELECT {STUDY_COLUMNS} FROM studies")):
        try:
            study.described()
            if plan_checksum(plan_of(connection, study.id)) != study.plan_checksum:
                raise Damage("its plan does not agree with its checksum")
        except Damage as damage:
            yield Problem(f"study {study.id}: {damage}", "studies", study.id)
    orphans = "SELECT rowid, study FROM plans WHERE study NOT IN (SELECT id FROM studies)"
    for number, study_number in connection.execute(orphans):
        yield Problem(f"a plan's line of study {study_number}, which is not there", "plans", number)


def _of_claims(connection: sqlite3.Connection) -> Iterator[Problem]:
    for table, kinds in CLAIM_KINDS.items():
        for number, *values in connection.execute(f"SELECT rowid, * FROM {table}"):
            if not of_kinds(values, kinds):
                text = f"a line of what runs compute ({table}): a value is out of place"
                yield Problem(text, table, number)


def repair(store: Store) -> tuple[list[Problem], Path | None]:
    """Drop every damaged row of a store that is open for writing.

    Returns what was dropped, and the file beside the store that holds a copy of it from before;
    none if nothing was. Raises `StoreError` if the file itself is damaged.
    """
    found = problems(store)
    if not found:
        return [], None
    if any(not one.table for one in found):
        found = _reindexed(store)
    copy = _unused(store.path)
    with sqlite_errors(copy):
        copy_database(store, copy)
    with store.connection(write=True) as connection:
        found = list(_problems(connection))  # runs may have gone on meanwhile
        for one in found:
            if one.table == "studies":
                connection.execute("DELETE FROM plans WHERE study = ?", (one.rowid,))
            connection.execute(f"DELETE FROM {one.table} WHERE rowid = ?", (one.rowid,))
        # Rows of a dropped study's plan may have been named before.
        connection.execute("DELETE FROM plans WHERE study NOT IN (SELECT id FROM studies)")
    return found, copy


def _reindexed(store: Store) -> list[Problem]:
    """Make the indices anew, the only damage of a file that loses nothing."""
    with (
        store.connection() as connection,
        suppress(sqlite3.DatabaseError),  # told below
        transaction(connection),
    ):
        connection.execute("REINDEX")
    found = problems(store)
    if worse := [one for one in found if not one.table]:
        raise StoreError(
            f"{str(store.path)!r} is damaged beyond its rows ({worse[0].text}); go on with a "
            "backup, or save what can be read with `sqlite3 augbench.sqlite .recover`"
        )
    return found


def _unused(path: Path) -> Path:
    """A name for a copy that is not taken."""
    number = 1
    while (copy := path.with_name(f"{path.name}.before-repair-{number}")).exists():
        number += 1
    return copy
