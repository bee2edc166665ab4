"""The store's file: its name, its tables, and how it is opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from augbench.errors import StoreError
from augbench.options import named

__all__ = [
    "FILE_NAME",
    "SCHEMA",
    "SCHEMA_VERSION",
    "closed_on_error",
    "open_for_reading",
    "reason",
    "sqlite_errors",
]

FILE_NAME = "augbench.sqlite"
SCHEMA_VERSION = 2
SCHEMA = """
CREATE TABLE environments (id TEXT PRIMARY KEY, description TEXT NOT NULL);
CREATE TABLE cells (
    key TEXT PRIMARY KEY,
    pretrain_key TEXT NOT NULL,
    protocol INTEGER NOT NULL,
    pretrain_dataset TEXT NOT NULL,
    finetune_dataset TEXT NOT NULL,
    backbone TEXT NOT NULL,
    augmentation TEXT NOT NULL,         -- the pipeline, as it is written in a spec
    samples_per_class INTEGER,          -- 0: the floor; NULL: the ceiling, all of D_P
    seed INTEGER NOT NULL,
    settings TEXT NOT NULL,             -- JSON: hyper-parameters, components, data sets
    status TEXT NOT NULL CHECK (status IN ('ok', 'failed')),
    error TEXT,
    traceback TEXT,
    metrics TEXT NOT NULL,              -- JSON
    curves TEXT NOT NULL,               -- JSON
    correct BLOB NOT NULL,              -- one bit per test image, numpy.packbits order
    engine TEXT NOT NULL,
    device TEXT NOT NULL,
    seconds REAL NOT NULL,
    finished_at REAL NOT NULL,          -- Unix time
    environment TEXT NOT NULL REFERENCES environments (id)
);
CREATE TABLE studies (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,          -- JSON
    command TEXT NOT NULL,
    created_at REAL NOT NULL,
    last_run_at REAL NOT NULL
);
CREATE TABLE plans (
    study INTEGER NOT NULL REFERENCES studies (id),
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    pretrain_dataset TEXT NOT NULL,
    finetune_dataset TEXT NOT NULL,
    arm TEXT NOT NULL,
    budget TEXT NOT NULL,               -- of pretraining, such as '2000 steps' or '50 epochs'
    samples_per_class INTEGER,
    seed INTEGER NOT NULL,
    PRIMARY KEY (study, position)
);
"""


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open without writing; a store in a read-only folder has to be opened as immutable."""
    uri = path.resolve().as_uri()
    try:
        return _readable(f"{uri}?mode=ro")
    except sqlite3.OperationalError:
        return _readable(f"{uri}?immutable=1")


def _readable(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None)
    with closed_on_error(connection):
        connection.execute("SELECT count(*) FROM sqlite_master")
    return connection


@contextmanager
def closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    """Close the connection if the block raises, since nobody else holds it then."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into `StoreError` with one line."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(
            f"the store {str(path)!r} cannot be used ({reason(error)}); check that it is a store "
            "of AugBench on a disk that is writable and not full, or name another folder with "
            f"{named('out')}"
        ) from error


def reason(error: Exception) -> str:
    """Return the system's words for why something failed."""
    return getattr(error, "strerror", None) or str(error)
