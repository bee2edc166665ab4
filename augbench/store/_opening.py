"""Opening a store's file: what stands there is looked at before anything is written."""

from __future__ import annotations

import sqlite3
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from augbench.errors import StoreError, StoreWarning
from augbench.options import named
from augbench.store._schema import (
    APPLICATION_ID,
    SCHEMA,
    SCHEMA_3,
    SCHEMA_4,
    SCHEMA_5,
    SCHEMA_VERSION,
    TABLES,
    reason,
    sqlite_errors,
    transaction,
)
from augbench.store._upgrade import upgrade

__all__ = [
    "FileId",
    "check_version",
    "file_id",
    "open_for_reading",
    "open_for_writing",
    "side_files",
]

FileId = tuple[int, int]
"""Device and inode: the same path may name another file later."""

_MAGIC = b"SQLite format 3\0"
_MAKING = 10.0  # seconds for which a file may be empty because another process makes a store of it


def file_id(path: Path) -> FileId | None:
    """The file that stands at the path now; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def side_files(path: Path) -> list[Path]:
    """The files that SQLite keeps beside a database in use."""
    return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm")]


def open_for_writing(path: Path, patience: float) -> sqlite3.Connection:
    """Open a store, creating or upgrading it; raises `StoreError` for any other file.

    A locked file is waited for, up to `patience` seconds.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot create the folder {str(path.parent)!r} ({reason(error)}); "
            f"name a writable one with {named('out')}"
        ) from error
    if file_id(path) is None:
        # Left by a store that was deleted alone, they would be taken for the new one's.
        for leftover in side_files(path):
            leftover.unlink(missing_ok=True)
    elif _is_empty(path) and time.time() - path.stat().st_mtime > _MAKING:
        warnings.warn(f"{str(path)!r} was empty; a new store begins there", StoreWarning, 4)
    with sqlite_errors(path):
        connection = _connect(str(path), patience)
    with _closed_on_error(connection), sqlite_errors(path):
        _bring_up_to_date(connection)
        check_version(connection, path)
        _write_ahead(connection, patience)
        # A cell survives the death of the process at once, a power cut up to the last seconds.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("SELECT count(*) FROM sqlite_master")  # makes the side files
    return connection


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Make the tables of a new store, or those of an older one new."""
    if _version(connection) == SCHEMA_VERSION:
        return
    with transaction(connection):
        version = _version(connection)  # another process may have been faster
        if version == 0:
            for statement in (SCHEMA + SCHEMA_3 + SCHEMA_4 + SCHEMA_5).split(";\n"):
                connection.execute(statement)
        elif version < SCHEMA_VERSION:
            upgrade(connection, version)
        if version < SCHEMA_VERSION:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _write_ahead(connection: sqlite3.Connection, patience: float) -> None:
    """Let others read while this one writes; not before the tables are there.

    So the file's first page always tells what it is, without the side files.
    """
    until = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:  # SQLite does not wait for this lock by itself
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open without writing; a store in a read-only folder has to be opened as immutable.

    Raises `StoreError` for what is not a store. An older format is left to the caller.
    """
    if _is_empty(path):
        raise StoreError(
            f"{str(path)!r} is empty: no store was written there, or it was lost; "
            f"restore it from a backup, or name another folder with {named('out')}"
        )
    with sqlite_errors(path):
        return _readable(path)


def _readable(path: Path) -> sqlite3.Connection:
    uri = path.resolve().as_uri()
    try:
        return _first_read(f"{uri}?mode=ro")
    except sqlite3.OperationalError:
        return _first_read(f"{uri}?immutable=1")


def _first_read(uri: str) -> sqlite3.Connection:
    connection = _connect(uri, 30, uri=True)
    with _closed_on_error(connection):
        connection.execute("SELECT count(*) FROM sqlite_master")
    return connection


def _connect(place: str, patience: float, *, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(
        place,
        uri=uri,
        timeout=patience,
        isolation_level=None,
        check_same_thread=False,  # `Store` lets one thread in at a time
    )
    # One damaged letter must not keep the rows around it from being read.
    connection.text_factory = _text
    return connection


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _is_empty(path: Path) -> bool:
    """True for a file of no bytes; raises `StoreError` for what cannot be a store."""
    if path.is_dir():
        raise _refusal(path, "a folder")
    if not path.is_file():
        raise _refusal(path, "no regular file")
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except OSError as error:
        raise StoreError(f"{str(path)!r} cannot be read ({reason(error)})") from error
    if head and not head.startswith(_MAGIC):
        raise _refusal(path, "not a database")
    # Bytes 68 to 71 of the first page. Stores of the formats before 3 have zeros there.
    if head and int.from_bytes(head[68:72], "big") != APPLICATION_ID:
        with sqlite_errors(path):
            connection = _readable(path)
        try:
            with sqlite_errors(path):
                _check_tables(connection, path)
        finally:
            connection.close()
    return not head


def _check_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Raises `StoreError` for another program's database."""
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if mark not in (0, APPLICATION_ID) or (tables and not tables >= TABLES):
        raise _refusal(path, "another program's database")


def _refusal(path: Path, what: str) -> StoreError:
    return StoreError(
        f"{str(path)!r} is {what}, not a store of AugBench, and stays as it is; "
        f"name another folder with {named('out')}"
    )


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def check_version(connection: sqlite3.Connection, path: Path, *, older: bool = False) -> bool:
    """True for today's format, False for an `older` one; raises `StoreError` for any other."""
    version = _version(connection)
    if version == SCHEMA_VERSION:
        return True
    if older and 0 < version < SCHEMA_VERSION:
        return False
    raise StoreError(
        f"{str(path)!r} has store format {version}, this AugBench reads {SCHEMA_VERSION}; "
        f"use the version of AugBench that wrote it, or name another folder with {named('out')}"
    )


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    """Close the connection if the block raises, since nobody else holds it then."""
    try:
        yield
    except BaseException:
        connection.close()
        raise
