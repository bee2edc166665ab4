"""The store: plan studies, record cells, read both back."""

from __future__ import annotations

import sqlite3
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from augbench.errors import StoreBusyError, StoreError, StoreWarning
from augbench.options import named
from augbench.protocol.cell_result import CellResult
from augbench.protocol.study import Cell, Study
from augbench.protocol.wanted import Wanted
from augbench.store import _cells, _claims, _studies, _times
from augbench.store._checksums import Damage
from augbench.store._claims import Claim, Owner, Watch
from augbench.store._copying import copy_cells, copy_claims, copy_studies
from augbench.store._opening import (
    FileId,
    check_version,
    file_id,
    open_for_reading,
    open_for_writing,
    side_files,
)
from augbench.store._rows import StoredStudy
from augbench.store._schema import FILE_NAME, reason, sqlite_errors, transaction
from augbench.store._times import CellTime

__all__ = ["Store"]


class Store:
    """An open store. `Store.open` creates it, `Store.read` opens an existing one for reading.

    Several threads may share it: one is let in at a time. Every method raises `StoreError` where
    the file cannot be used, and `StoreBusyError` where trying again may help.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, *, patience: float | None = None
    ) -> None:
        self.path = path
        self._connection = connection
        self._patience = patience  # None: for reading
        self._lock = threading.RLock()
        self._watch = Watch()
        self._remember_files()

    @classmethod
    def open(cls, folder: Path, patience: float = 30.0) -> Self:
        """Open the store in `folder` for writing, creating both; raises `StoreError`.

        A store that another process writes at the moment is waited for, up to `patience` seconds
        at each call.
        """
        path = folder / FILE_NAME
        return cls(path, open_for_writing(path, patience), patience=patience)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Open an existing store; raises `StoreError` if there is none, or it is not one."""
        path = folder if folder.is_file() else folder / FILE_NAME
        if not path.exists():
            raise StoreError(
                f"no store at {str(path)!r}; name the folder of a run with {named('out')}, "
                "or make one with `augbench run`"
            )
        connection = open_for_reading(path)
        try:
            with sqlite_errors(path):
                current = check_version(connection, path, older=True)
        except BaseException:
            connection.close()
            raise
        if not current:  # upgraded in place, so for once opened for writing
            connection.close()
            open_for_writing(path, 30.0).close()
            return cls.read(folder)
        return cls(path, connection)

    def close(self) -> None:
        """Close the store; put back first if its file was deleted meanwhile, as by `record`."""
        with self._lock:
            try:
                self._put_back_if_moved()
            finally:
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
    def connection(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """Lend the database to code that moves whole tables; `write` makes it one transaction.

        SQLite's errors inside become `StoreError`, as everywhere.
        """
        with self._lock:
            if write:
                self._put_back_if_moved()
            inside = transaction(self._connection) if write else nullcontext()
            with sqlite_errors(self.path), inside:
                yield self._connection

    def _remember_files(self) -> None:
        self._file: FileId | None = file_id(self.path)
        self._side_files = [file_id(path) for path in side_files(self.path)]

    def _put_back_if_moved(self) -> None:
        """Write everything into a new file where the store's was deleted or replaced.

        The open connection still reads the file that has lost its name.
        """
        if self._patience is None or file_id(self.path) == self._file:
            return
        try:
            # They belong to the old file, but SQLite finds them by name, whatever stands there.
            for path, known in zip(side_files(self.path), self._side_files, strict=True):
                if known is not None and file_id(path) == known:
                    path.unlink()
            connection = open_for_writing(self.path, self._patience)
            try:
                with sqlite_errors(self.path), transaction(connection):
                    copied = copy_cells(self._connection, connection)
                    copy_studies(self._connection, connection)
                    copy_claims(self._connection, connection)
            except BaseException:
                connection.close()
                raise
        except (StoreError, OSError) as error:
            what = error if isinstance(error, StoreError) else reason(error)
            raise StoreBusyError(
                f"the store {str(self.path)!r} was deleted or replaced while in use, and cannot be "
                f"put back: {what}"
            ) from error
        self._connection.close()
        self._connection = connection
        self._remember_files()
        warnings.warn(
            f"the store {str(self.path)!r} was deleted or replaced while in use; "
            f"its {len(copied.written)} cells were put back",
            StoreWarning,
            5,
        )

    def plan(self, study: Study, cells: Sequence[Cell], command: str) -> int:
        """Keep the study and its plan; returns its number. The same study keeps its number."""
        with self.connection(write=True) as connection:
            return _studies.plan(connection, study, cells, command)

    def plan_tuned(self, number: int, cells: Sequence[Cell]) -> None:
        """Let the plan of that study end with the cells of what its trials have chosen."""
        with self.connection(write=True) as connection:
            _studies.plan_tuned(connection, number, cells)

    def finished(self, keys: Iterable[str], wanted: Wanted = Wanted()) -> dict[str, float]:
        """Return the accuracy of those keys that are computed.

        Only those with all measurements that are `wanted`. Cells whose rows are damaged are not
        computed; a `StoreWarning` counts them.
        """
        with self.connection() as connection:
            found = _cells.look_up(connection, list(keys), wanted)
        self._warn_of(len(found.damaged))
        return found.accuracies

    def record(
        self,
        cell: Cell,
        result: CellResult,
        environment: Mapping[str, Any],
        device: str,
        *,
        pack: Sequence[str] = (),
    ) -> bool:
        """Write one cell's outcome; returns whether it was written.

        `pack` are the keys of all cells that were trained together. The first good result of a
        cell stays, unless a later one has measurements that it lacks: curves measured on the test
        set, predicted classes. A failure never hides a result. A store whose file was deleted or
        replaced is put back first, with a `StoreWarning`.
        """
        with self.connection(write=True) as connection:
            return _cells.record(connection, cell, result, environment, device, pack)

    def times(self) -> list[CellTime]:
        """The times that the latest computed cells took, the last one first."""
        with self.connection() as connection:
            return _times.times(connection)

    def given_up(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the errors of those cells that are not to be tried again without being asked.

        They ended the process that trained them, or took longer than they may.
        """
        with self.connection() as connection:
            return _cells.given_up(connection, list(keys))

    def forget_failures(self, keys: Iterable[str] | None = None) -> int:
        """Forget the failures of `given_up`, of these cells or all, so that they are tried again.

        Returns their number.
        """
        with self.connection(write=True) as connection:
            wanted = None if keys is None else list(keys)
            return _cells.forget_failures(connection, wanted)

    def packs(self, keys: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the keys of the pack that each of these cells was trained in, where it is known.

        A store of an earlier format does not know it.
        """
        with self.connection() as connection:
            return _cells.packs_of(connection, list(keys))

    def claim(
        self,
        keys: Sequence[str],
        owner: Owner,
        *,
        ignore: bool = False,
        wanted: Wanted = Wanted(),
    ) -> set[str]:
        """Claim cells for a run; returns those of the keys that are its own now.

        Left out are those that are computed, as `finished` tells with `wanted`, and those that
        another living run has claimed, unless `ignore`. A dead run's claims are taken over.
        """
        with self.connection(write=True) as connection:
            return _claims.claim(
                connection, keys, owner, self._watch, ignore=ignore, measurements=wanted
            )

    def release(self, keys: Sequence[str], owner: Owner) -> None:
        """Give up an owner's claims on these cells."""
        with self.connection(write=True) as connection:
            _claims.release(connection, keys, owner)

    def release_all(self, owner: Owner) -> None:
        """Give up all claims of an owner, whose run ends."""
        with self.connection(write=True) as connection:
            _claims.release_all(connection, owner)

    def beat(self, owner: Owner) -> None:
        """Tell others that the owner lives: every few seconds. The first call registers it."""
        with self.connection(write=True) as connection:
            _claims.beat(connection, owner)

    def claims(self) -> list[Claim]:
        """Return every claim, and whether its owner lives."""
        with self.connection() as connection:
            return _claims.all_claims(connection, self._watch)

    def studies(self) -> list[tuple[int, Mapping[str, Any], str, float]]:
        """(number, description, command, time of the last run) of every study, latest last.

        Damaged ones are left out; a `StoreWarning` counts them.
        """
        with self.connection() as connection:
            rows = _studies.all_studies(connection)
        sound = []
        for row in rows:
            try:
                sound.append((row.id, row.described(), row.command, row.last_run_at))
            except Damage:
                continue
        self._warn_of(len(rows) - len(sound), "study")
        return sound

    def study(self, number: int | None = None) -> StoredStudy:
        """Return a study with all its cells; the latest one by default.

        Cells whose rows are damaged are missing; a `StoreWarning` counts them. Raises `StoreError`
        if there is no such study, or it is damaged itself.
        """
        with self.connection() as connection:
            known = {row.id: row for row in _studies.all_studies(connection)}
            if not known:
                raise StoreError(f"{str(self.path)!r} holds no study; make one with `augbench run`")
            chosen = list(known)[-1] if number is None else number
            if chosen not in known:
                raise StoreError(
                    f"no study {number} in {str(self.path)!r}; it holds {sorted(known)}"
                )
            try:
                study = _studies.stored_study(connection, known[chosen], known.values())
            except Damage as error:
                raise StoreError(
                    f"study {chosen} in {str(self.path)!r} is damaged ({error}); run its command "
                    "again, which finds its cells, or name another of "
                    f"{sorted(known.keys() - {chosen})} with --study; `augbench verify` tells more"
                ) from error
        self._warn_of(len(study.damaged))
        return study

    def _warn_of(self, damaged: int, what: str = "cell") -> None:
        if damaged:
            one, many, rest = _DAMAGED[what]
            warnings.warn(
                f"{damaged} damaged {one if damaged == 1 else many} in {str(self.path)!r}: {rest}; "
                "see `augbench verify`",
                StoreWarning,
                3,
            )


_DAMAGED = {
    "cell": ("cell", "cells", "counted as missing, and computed anew by `augbench run`"),
    "study": ("study", "studies", "left out until the same command is run again"),
}
