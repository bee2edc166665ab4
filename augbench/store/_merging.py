"""Merging: the stores of several machines become one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augbench.errors import StoreError
from augbench.options import named
from augbench.pictures.archive import merge_pictures
from augbench.protocol.study import PROTOCOL_VERSION, place_name
from augbench.store._agreement import Disagreement, disagreements
from augbench.store._schema import FILE_NAME
from augbench.store._store import Store

__all__ = ["Conflict", "Merged", "merge"]


@dataclass(frozen=True)
class Conflict:
    """A cell that two stores computed and do not agree on; the first store's was kept."""

    cell: str
    kept_from: str
    other: str
    metrics: tuple[Disagreement, ...]


@dataclass(frozen=True)
class Merged:
    """The numbers of studies and cells in a merged store, and what the sources disagree on.

    `shared` counts cells that more than one source held.
    """

    studies: int
    cells: int
    shared: int
    conflicts: tuple[Conflict, ...]


def merge(sources: Sequence[Path], out: Path) -> Merged:
    """Join stores into a new one in the folder `out`; the sources stay as they are.

    A cell that several stores hold is taken from the first that computed it without failing; where
    another has other metrics, that is reported. Raises `StoreError` if a source holds cells of
    another protocol version, or `out` holds a store.
    """
    if (out / FILE_NAME).exists():
        raise StoreError(
            f"{str(out)!r} holds a store already; name a new folder with {named('out')}"
        )
    for source in sources:
        with Store.read(source) as store:
            _check_protocol(store)
    origins: dict[str, str] = {}
    conflicts: list[Conflict] = []
    shared = 0
    with Store.open(out) as target:
        for source in sources:
            with (
                Store.read(source) as store,
                store.connection() as read,
                target.connection(write=True) as write,
            ):
                environments = read.execute("SELECT id, description FROM environments")
                write.executemany("INSERT OR IGNORE INTO environments VALUES (?, ?)", environments)
                found = _add_cells(read, write, str(source), origins)
                shared += found[0]
                conflicts += found[1]
                _add_studies(read, write)
        with target.connection() as connection:
            (studies,) = connection.execute("SELECT count(*) FROM studies").fetchone()
            (cells,) = connection.execute("SELECT count(*) FROM cells").fetchone()
    merge_pictures([source if source.is_dir() else source.parent for source in sources], out)
    return Merged(studies, cells, shared, tuple(conflicts))


def _check_protocol(store: Store) -> None:
    with store.connection() as connection:
        found = {version for (version,) in connection.execute("SELECT protocol FROM cells")}
    found |= {description["protocol"] for _, description, _, _ in store.studies()}
    if other := sorted(found - {PROTOCOL_VERSION}):
        raise StoreError(
            f"{str(store.path)!r} holds cells of protocol version {other[0]}, this AugBench merges "
            f"version {PROTOCOL_VERSION}; numbers of different protocols must not be mixed"
        )


def _add_cells(
    read: sqlite3.Connection, write: sqlite3.Connection, source: str, origins: dict[str, str]
) -> tuple[int, list[Conflict]]:
    """Copy cells; returns how many were there already, and those that disagree."""
    cursor = read.execute("SELECT * FROM cells ORDER BY rowid")
    names = [column[0] for column in cursor.description]
    marks = ",".join("?" * len(names))
    shared, conflicts = 0, []
    for values in cursor:
        row = dict(zip(names, values, strict=True))
        known = write.execute(
            "SELECT status, metrics FROM cells WHERE key = ?", (row["key"],)
        ).fetchone()
        if known is not None:
            shared += 1
            if known[0] == "ok" and row["status"] == "ok":
                metrics = disagreements(
                    json.loads(known[1]),
                    json.loads(row["metrics"]),
                    images=8 * len(row["correct"]),
                )
                if metrics:
                    conflicts.append(Conflict(_place(row), origins[row["key"]], source, metrics))
            if known[0] == "ok" or row["status"] != "ok":
                continue
        write.execute(f"INSERT OR REPLACE INTO cells VALUES ({marks})", values)
        origins[row["key"]] = source
    return shared, conflicts


def _place(row: dict[str, Any]) -> str:
    names = ("pretrain_dataset", "finetune_dataset", "augmentation", "samples_per_class", "seed")
    return place_name(*(row[name] for name in names))


def _add_studies(read: sqlite3.Connection, write: sqlite3.Connection) -> None:
    """Copy studies with their plans, numbered anew; the same study stays one."""
    studies = read.execute(
        "SELECT id, key, description, command, created_at, last_run_at FROM studies ORDER BY id"
    ).fetchall()
    for number, *values in studies:
        write.execute(
            "INSERT INTO studies (key, description, command, created_at, last_run_at) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
            "created_at = min(created_at, excluded.created_at), "
            "last_run_at = max(last_run_at, excluded.last_run_at)",
            values,
        )
        (new,) = write.execute("SELECT id FROM studies WHERE key = ?", (values[0],)).fetchone()
        plan = read.execute(
            "SELECT position, key, pretrain_dataset, finetune_dataset, arm, budget, "
            "samples_per_class, seed FROM plans WHERE study = ? ORDER BY position",
            (number,),
        )
        write.executemany(
            "INSERT OR IGNORE INTO plans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(new, *line) for line in plan],
        )
