"""Cells in the store's tables: written, looked up, forgotten."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from augbench.protocol.cell_result import CellResult
from augbench.protocol.metrics import PRIMARY
from augbench.protocol.shift import is_shift_metric
from augbench.protocol.study import Cell, Settings
from augbench.protocol.wanted import Wanted
from augbench.store._checksums import (
    COLUMNS,
    CellRow,
    Damage,
    content_id,
    new_row,
    signed,
    sound_metrics,
    storable,
)

__all__ = [
    "Finished",
    "batches",
    "environment_id",
    "first_test",
    "forget_failures",
    "given_up",
    "keep",
    "look_up",
    "packs_of",
    "put",
    "record",
    "rows_of",
]

_SCAN = 2000
"""So many keys at least are worth a look at whether to read the whole table."""

_T = TypeVar("_T")

_GIVEN_UP = ("crashed", "timed out")
"""The kinds of failure that the next run does not try again."""


class Finished(NamedTuple):
    """The accuracies of computed cells by their keys, and the keys of damaged rows."""

    accuracies: dict[str, float]
    damaged: list[str]


def record(
    connection: sqlite3.Connection,
    cell: Cell,
    result: CellResult,
    environment: Mapping[str, Any],
    device: str,
    pack: Sequence[str],
) -> bool:
    """Write one cell's outcome, unless a better one is there; returns whether it was written."""
    row = new_row(
        cell,
        result,
        settings=_settings_id(connection, cell),
        device=device,
        environment=environment_id(connection, environment),
        pack=_pack_id(connection, pack),
        at=time.time(),
    )
    written = keep(connection, row)
    if result.ok:  # nobody need wait for it any more
        connection.execute("DELETE FROM claims WHERE key = ?", (cell.key,))
    return written


def keep(connection: sqlite3.Connection, row: CellRow) -> bool:
    """Write a row unless a better one of its key is there; returns whether it was written.

    The first good result stays. Only one with measurements that it lacks replaces it (curves
    measured on test images, as its were not, or at other steps; predicted classes; accuracies on
    corrupted images), and takes over what it lacks itself; a failure never does.
    """
    (stored,) = rows_of(connection, [row.key]) or (None,)
    if stored is not None and stored.status == "ok":
        try:
            sound_metrics(stored)
        except Damage:
            pass  # any outcome is worth more
        else:
            if row.status != "ok" or not _adds(row, stored):
                return False
            row = _joined(row, stored)
    put(connection, row)
    return True


def _adds(row: CellRow, stored: CellRow) -> bool:
    """True for a row with measurements that the stored one lacks."""
    if row.predicted is not None and stored.predicted is None:
        return True
    if _shift_metrics(row).keys() - _shift_metrics(stored).keys():
        return True
    return first_test(row) not in (None, first_test(stored))


def _shift_metrics(row: CellRow) -> dict[str, float]:
    found = json.loads(row.metrics)
    return {name: value for name, value in found.items() if is_shift_metric(name)}


def _joined(row: CellRow, stored: CellRow) -> CellRow:
    """The row with those measurements of the stored one that it lacks: both are of one training."""
    metrics = {**_shift_metrics(stored), **json.loads(row.metrics)}
    row = row._replace(metrics=json.dumps(metrics))
    if first_test(row) is None and first_test(stored) is not None:
        row = row._replace(curves=stored.curves)
    if row.predicted is None and row.correct == stored.correct:
        row = row._replace(predicted=stored.predicted)
    return signed(row)


def _has(row: CellRow, metrics: Mapping[str, float], wanted: Wanted) -> bool:
    """True for a row with all the measurements that are wanted."""
    if not metrics.keys() >= set(wanted.shift):
        return False
    if wanted.predictions and row.predicted is None:
        return False
    return not wanted.test_every or first_test(row) == wanted.test_every


def put(connection: sqlite3.Connection, row: CellRow) -> None:
    """Write a row, whatever is there."""
    marks = ",".join("?" * len(row))
    connection.execute(f"INSERT OR REPLACE INTO cells ({COLUMNS}) VALUES ({marks})", row)


def first_test(row: CellRow) -> int | None:
    """The first step at which finetuning was measured on test images; None if it never was."""
    curve = json.loads(row.curves).get("finetune", {})
    steps = curve.get("test_step") or (None,)
    first: int | None = steps[0]
    return first


def rows_of(connection: sqlite3.Connection, keys: Sequence[str]) -> list[CellRow]:
    """The rows of those keys that have one."""
    return list(_each_row(connection, keys))


def _each_row(
    connection: sqlite3.Connection, keys: Sequence[str], where: str = ""
) -> Iterator[CellRow]:
    if len(keys) > _SCAN:
        (cells,) = connection.execute("SELECT count(*) FROM cells").fetchone()
        if len(keys) > cells // 4:  # from beginning to end, a disk is read much faster
            wanted = set(keys)
            every = connection.execute(f"SELECT {COLUMNS} FROM cells WHERE true {where}")
            yield from (row for row in map(CellRow._make, every) if row.key in wanted)
            return
    for batch in batches(keys):
        marks = ",".join("?" * len(batch))
        query = f"SELECT {COLUMNS} FROM cells WHERE key IN ({marks}) {where}"
        yield from map(CellRow._make, connection.execute(query, batch))


def look_up(connection: sqlite3.Connection, keys: Sequence[str], wanted: Wanted) -> Finished:
    """Find out which cells are computed, with the measurements that are wanted."""
    found, damaged = dict[str, float](), list[str]()
    for row in _each_row(connection, keys, "AND status = 'ok'"):
        try:
            metrics = sound_metrics(row)
        except Damage:
            damaged.append(row.key)
            continue
        if _has(row, metrics, wanted):
            found[row.key] = metrics[PRIMARY.name]
    return Finished(found, damaged)


def given_up(connection: sqlite3.Connection, keys: Sequence[str]) -> dict[str, str]:
    """The errors of those cells that a run must not try again by itself."""
    found = {}
    for row in _each_row(connection, keys, "AND status = 'failed'"):
        try:
            sound_metrics(row)
        except Damage:
            continue
        if row.failure in _GIVEN_UP:
            found[row.key] = row.error or ""
    return found


def forget_failures(connection: sqlite3.Connection, keys: Sequence[str] | None) -> int:
    """Delete failures that are not tried again, of these cells or of all; returns their number."""
    marks = ",".join("?" * len(_GIVEN_UP))
    delete = f"DELETE FROM cells WHERE status = 'failed' AND failure IN ({marks})"
    if keys is None:
        return connection.execute(delete, _GIVEN_UP).rowcount
    return sum(
        connection.execute(
            f"{delete} AND key IN ({','.join('?' * len(batch))})", (*_GIVEN_UP, *batch)
        ).rowcount
        for batch in batches(keys)
    )


def packs_of(connection: sqlite3.Connection, keys: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The keys of each cell's pack; a cell without a pack, or with a damaged one, is left out."""
    known: dict[str, tuple[str, ...]] = {}
    found = {}
    for batch in batches(keys):
        marks = ",".join("?" * len(batch))
        rows = connection.execute(
            "SELECT c.key, p.id, p.keys FROM cells c JOIN packs p ON p.id = c.pack "
            f"WHERE c.key IN ({marks})",
            batch,
        )
        for key, number, text in rows:
            if number not in known and isinstance(text, str) and content_id(text) == number:
                known[number] = tuple(json.loads(text))
            if number in known:
                found[key] = known[number]
    return found


def environment_id(connection: sqlite3.Connection, description: Mapping[str, Any]) -> str:
    """Keep the description of an environment; returns its id."""
    text = storable(json.dumps(description, sort_keys=True))
    return _named(connection, "environments", "description", text)


def _settings_id(connection: sqlite3.Connection, cell: Cell) -> str:
    """Keep the settings of a cell, once for all cells that share them; returns their id."""
    settings = {
        **_as_json(cell.settings),
        "backbone": cell.backbone.identity(),
        "augmentation": cell.pipeline.identity(),
        "pretrain_dataset": cell.pretrain.content_hash,
        "finetune_dataset": cell.finetune.content_hash,
    }
    return _named(connection, "settings", "text", json.dumps(settings))


# A study has few of them, and many cells.
@lru_cache(maxsize=1024)
def _as_json(settings: Settings) -> dict[str, Any]:
    return settings.to_json()


def _pack_id(connection: sqlite3.Connection, keys: Sequence[str]) -> str:
    """Keep the keys of a pack, once for all of its cells; returns its id, "" for no keys."""
    return _named(connection, "packs", "keys", json.dumps(list(keys))) if keys else ""


def _named(connection: sqlite3.Connection, table: str, column: str, text: str) -> str:
    number = content_id(text)
    connection.execute(
        f"INSERT INTO {table} (id, {column}) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET "
        # What was damaged is whole again.
        f"{column} = excluded.{column} WHERE {column} IS NOT excluded.{column}",
        (number, text),
    )
    return number


def batches(keys: Sequence[_T], size: int = 500) -> Iterator[Sequence[_T]]:
    """Split into batches below 999, the smallest limit of SQLite on variables a statement."""
    for start in range(0, len(keys), size):
        yield keys[start : start + size]
