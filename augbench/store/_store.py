"""The store: plan studies, record cells, read both back."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from augbench.errors import StoreError
from augbench.options import named
from augbench.protocol.cell_result import CellResult
from augbench.protocol.metrics import PRIMARY
from augbench.protocol.study import PROTOCOL_VERSION, Cell, Study, study_key
from augbench.store._rows import StoredStudy, planned_cell
from augbench.store._schema import (
    FILE_NAME,
    SCHEMA,
    SCHEMA_VERSION,
    closed_on_error,
    open_for_reading,
    reason,
    sqlite_errors,
)
from augbench.store._upgrade import upgrade

__all__ = ["Store"]


class Store:
    """An open store. `Store.open` creates it, `Store.read` opens an existing one for reading."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the store in `folder` for writing, creating both; raises `StoreError`."""
        path = folder / FILE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot create the folder {str(folder)!r} ({reason(error)}); "
                f"name a writable one with {named('out')}"
            ) from error
        with sqlite_errors(path):
            connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        with closed_on_error(connection), sqlite_errors(path):
            connection.execute("PRAGMA journal_mode = WAL")
            # A cell survives the death of the process at once, a power cut up to the last seconds.
            connection.execute("PRAGMA synchronous = NORMAL")
            store = cls(path, connection)
            with store._transaction():
                version = store._schema_version()
                if version == 0:
                    for statement in SCHEMA.split(";\n"):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                elif version == 1:
                    upgrade(connection)
            store._check_version()
        return store

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Open an existing store; raises `StoreError` if there is none, or it is not one."""
        path = folder if folder.is_file() else folder / FILE_NAME
        if not path.is_file():
            raise StoreError(
                f"no store at {str(path)!r}; name the folder of a run with {named('out')}, "
                "or make one with `augbench run`"
            )
        with sqlite_errors(path):
            connection = open_for_reading(path)
        store = cls(path, connection)
        with closed_on_error(connection), sqlite_errors(path):
            older = store._schema_version() == 1
            if not older:
                store._check_version()
        if older:  # upgraded in place, so this time for writing
            store.close()
            cls.open(path.parent).close()
            return cls.read(folder)
        return store

    def _schema_version(self) -> int:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        return int(version)

    def _check_version(self) -> None:
        version = self._schema_version()
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"{str(self.path)!r} has store format {version}, this AugBench reads "
                f"{SCHEMA_VERSION}; use the version of AugBench that wrote it, or name another "
                f"folder with {named('out')}"
            )

    def close(self) -> None:
        """Close the store."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def connection(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """Lend the database to code that moves whole tables; `write` makes it one transaction.

        SQLite's errors inside become `StoreError`, as everywhere.
        """
        with sqlite_errors(self.path), self._transaction() if write else nullcontext():
            yield self._connection

    def plan(self, study: Study, cells: Sequence[Cell], command: str) -> int:
        """Keep the study and its plan; returns its number. The same study keeps its number."""
        described = study.to_json()
        description = json.dumps(described, sort_keys=True, allow_nan=False)
        key, now = study_key(described, [cell.key for cell in cells]), time.time()
        with sqlite_errors(self.path), self._transaction():
            self._connection.execute(
                "INSERT INTO studies (key, description, command, created_at, last_run_at) "
                "VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET last_run_at = ?",
                (key, description, command, now, now, now),
            )
            (number,) = self._connection.execute(
                "SELECT id FROM studies WHERE key = ?", (key,)
            ).fetchone()
            self._connection.executemany(
                "INSERT OR IGNORE INTO plans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        number,
                        position,
                        cell.key,
                        cell.pretrain.name,
                        cell.finetune.name,
                        cell.arm.label,
                        cell.budget.label if cell.budget else "",
                        cell.samples_per_class,
                        cell.seed,
                    )
                    for position, cell in enumerate(cells)
                ],
            )
        return int(number)

    def finished(self, keys: Iterable[str], *, test_every: int = 0) -> dict[str, float]:
        """Return the accuracy of those keys that are computed.

        With `test_every`, only those whose curves were measured on the test set that often.
        """
        found: dict[str, float] = {}
        with sqlite_errors(self.path):
            for batch in _batches(list(keys)):
                marks = ",".join("?" * len(batch))
                rows = self._connection.execute(
                    f"SELECT key, json_extract(metrics, '$.{PRIMARY.name}'), "
                    "json_extract(curves, '$.finetune.test_step[0]') "
                    f"FROM cells WHERE status = 'ok' AND key IN ({marks})",
                    batch,
                )
                for key, accuracy, first_test in rows:
                    if not test_every or first_test == test_every:
                        found[key] = accuracy
        return found

    def record(
        self, cell: Cell, result: CellResult, environment: Mapping[str, Any], device: str
    ) -> None:
        """Write one cell's outcome, replacing an earlier one of the same key."""
        row = (
            cell.key,
            cell.pretrain_key,
            PROTOCOL_VERSION,
            cell.pretrain.name,
            cell.finetune.name,
            cell.backbone.label,
            cell.pipeline.label,
            cell.samples_per_class,
            cell.seed,
            json.dumps(
                {
                    **cell.settings.to_json(),
                    "backbone": cell.backbone.identity(),
                    "augmentation": cell.pipeline.identity(),
                    "pretrain_dataset": cell.pretrain.content_hash,
                    "finetune_dataset": cell.finetune.content_hash,
                }
            ),
            "ok" if result.ok else "failed",
            result.error,
            result.traceback,
            json.dumps(result.metrics),
            json.dumps({name: asdict(curve) for name, curve in result.curves.items()}),
            result.correct,
            result.engine,
            device,
            result.seconds,
            time.time(),
        )
        with sqlite_errors(self.path), self._transaction():
            stored = self._connection.execute(
                "SELECT status FROM cells WHERE key = ?", (cell.key,)
            ).fetchone()
            if stored == ("ok",) and not result.ok:
                return  # a failure never hides a result
            values = (*row, self._environment(environment))
            marks = ",".join("?" * len(values))
            self._connection.execute(f"INSERT OR REPLACE INTO cells VALUES ({marks})", values)

    def _environment(self, description: Mapping[str, Any]) -> str:
        text = json.dumps(description, sort_keys=True)
        number = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._connection.execute("INSERT OR IGNORE INTO environments VALUES (?, ?)", (number, text))
        return number

    def studies(self) -> list[tuple[int, Mapping[str, Any], str, float]]:
        """(number, description, command, time of the last run) of every study, latest last."""
        with sqlite_errors(self.path):
            rows = self._connection.execute(
                "SELECT id, description, command, last_run_at FROM studies ORDER BY last_run_at, id"
            ).fetchall()
        return [(number, json.loads(text), command, at) for number, text, command, at in rows]

    def study(self, number: int | None = None) -> StoredStudy:
        """A study with all its cells; the latest one by default. Raises `StoreError`."""
        known = self.studies()
        if not known:
            raise StoreError(f"{str(self.path)!r} holds no study; make one with `augbench run`")
        numbers = [entry[0] for entry in known]
        if number is not None and number not in numbers:
            raise StoreError(f"no study {number} in {str(self.path)!r}; it holds {sorted(numbers)}")
        chosen = known[-1] if number is None else known[numbers.index(number)]
        with sqlite_errors(self.path):
            environments = {
                key: json.loads(text)
                for key, text in self._connection.execute("SELECT * FROM environments")
            }
            rows = self._connection.execute(
                "SELECT p.key, p.pretrain_dataset, p.finetune_dataset, p.arm, p.budget, "
                "p.samples_per_class, p.seed, c.status, c.error, c.traceback, c.metrics, "
                "c.curves, c.correct, c.engine, c.device, c.seconds, c.finished_at, c.environment "
                "FROM plans p LEFT JOIN cells c ON c.key = p.key WHERE p.study = ? "
                "ORDER BY p.position",
                (chosen[0],),
            ).fetchall()
            (created,) = self._connection.execute(
                "SELECT created_at FROM studies WHERE id = ?", (chosen[0],)
            ).fetchone()
        cells = tuple(planned_cell(row, environments) for row in rows)
        seeds = [
            description["seeds"]
            for earlier, description, _, _ in known
            if earlier < chosen[0] and {**description, "seeds": chosen[1]["seeds"]} == chosen[1]
        ]
        first = min(seeds, default=None)
        return StoredStudy(chosen[0], chosen[1], chosen[2], created, cells, first)


def _batches(keys: list[str], size: int = 500) -> Iterator[list[str]]:
    """Split into batches below 999, the smallest limit of SQLite on variables a statement."""
    for start in range(0, len(keys), size):
        yield keys[start : start + size]
