"""The store's file: its name, its tables, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from augbench.errors import StoreBusyError, StoreError
from augbench.options import named

__all__ = [
    "APPLICATION_ID",
    "FILE_NAME",
    "NAMED_TEXTS",
    "REGISTRATIONS",
    "SCHEMA",
    "SCHEMA_3",
    "SCHEMA_4",
    "SCHEMA_5",
    "SCHEMA_VERSION",
    "TABLES",
    "reason",
    "sqlite_errors",
    "transaction",
]

FILE_NAME = "augbench.sqlite"
REGISTRATIONS = "registration-*.json"
"""The files beside a store that `augbench.registration` writes."""
APPLICATION_ID = 0x41756742  # "AugB" in the header of the file, by which a store is known
SCHEMA_VERSION = 5
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
    settings TEXT NOT NULL,             -- settings.id; before format 5, its text itself
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
    environment TEXT NOT NULL REFERENCES environments (id),
    failure TEXT NOT NULL DEFAULT '',   -- its kind: error, crashed, timed out; '' for a result
    pack TEXT NOT NULL DEFAULT '',      -- packs.id: the cells that were trained together
    test_images INTEGER,                -- of D_F: the number of bits in correct
    predicted BLOB,                     -- the class of each test image, see augbench.labels
    checksum TEXT NOT NULL DEFAULT ''   -- over all columns above, but for a predicted of NULL
);
CREATE TABLE studies (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,          -- JSON
    command TEXT NOT NULL,
    created_at REAL NOT NULL,
    last_run_at REAL NOT NULL,
    checksum TEXT NOT NULL DEFAULT '',      -- over key, description and command
    plan_checksum TEXT NOT NULL DEFAULT ''  -- over the rows of its plan
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
    readout TEXT NOT NULL DEFAULT 'linear',
    finetune_samples INTEGER,           -- of each class; NULL in a study of but one number
    role TEXT NOT NULL DEFAULT 'result',  -- result, trial, or tuned: a result of what was chosen
    trial INTEGER,                      -- the number of a trial, or of the one that was chosen
    fold INTEGER,                       -- that a trial was measured on; NULL for validation images
    PRIMARY KEY (study, position)
);
"""
"""The tables of format 2 with today's columns; the others came later."""

SCHEMA_3 = """
CREATE TABLE packs (
    id TEXT PRIMARY KEY,
    keys TEXT NOT NULL                  -- JSON: of the cells, in the order of their training
);
CREATE TABLE runs (
    token TEXT PRIMARY KEY,             -- one for each process that computes cells
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started REAL NOT NULL,              -- of the process, Unix time
    beat INTEGER NOT NULL,              -- counts up while it lives
    beaten_at REAL NOT NULL             -- by the clock of its host
);
CREATE TABLE claims (
    key TEXT PRIMARY KEY,               -- a cell that a run is computing
    token TEXT NOT NULL,
    since REAL NOT NULL
);
"""
SCHEMA_4 = """
CREATE TABLE test_labels (
    dataset TEXT PRIMARY KEY,           -- content hash
    images INTEGER NOT NULL,
    classes INTEGER NOT NULL,
    labels BLOB NOT NULL,               -- the true class of each test image, see augbench.labels
    checksum TEXT NOT NULL              -- over all columns above
);
"""
SCHEMA_5 = """
CREATE TABLE settings (
    id TEXT PRIMARY KEY,
    text TEXT NOT NULL                  -- JSON: hyper-parameters, components, data sets
);
"""
NAMED_TEXTS = (
    ("environments", "description", "environment"),
    ("packs", "keys", "pack"),
    ("settings", "text", "settings"),
)
"""The tables of texts that cells share: a table, its column, and the cells' one that has the id."""
TABLES = frozenset({"environments", "cells", "studies", "plans"})
"""The tables of a store of any format."""

_MAY_PASS = {
    sqlite3.SQLITE_BUSY: "another program holds it",
    sqlite3.SQLITE_LOCKED: "another program holds it",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written",
    sqlite3.SQLITE_CANTOPEN: "its file cannot be opened",
    sqlite3.SQLITE_READONLY: "its file cannot be written",
}


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block's writes or none; other writers wait meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself takes back what a full disk has stopped
            connection.execute("ROLLBACK")
        raise


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into `StoreError` with one line; `StoreBusyError` where it may pass."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest tells more of the same
        if why := _MAY_PASS.get(code):
            raise StoreBusyError(
                f"the store {str(path)!r} cannot be used at the moment: {why} ({reason(error)})"
            ) from error
        raise StoreError(
            f"the store {str(path)!r} cannot be used ({reason(error)}); check that it is a store "
            "of AugBench on a disk that is writable and not full, look at `augbench verify`, or "
            f"name another folder with {named('out')}"
        ) from error


def reason(error: Exception) -> str:
    """Return the system's words for why something failed."""
    return getattr(error, "strerror", None) or str(error)
