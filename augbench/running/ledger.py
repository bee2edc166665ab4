"""Results on their way into the store: kept and written again where the store is busy or full.

A result that cannot be written is not lost while this process lives; and what is still unwritten
when the run has to end goes into a store of its own, beside the system's temporary files.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augbench.errors import StoreBusyError, StoreError
from augbench.protocol.cell_result import CellResult
from augbench.protocol.study import Cell, Study, place_name
from augbench.running.observer import Observer
from augbench.store import Store

__all__ = ["Ledger"]

_AGAIN_AFTER = 5.0  # seconds between two tries while training goes on
_PATIENCE = 600.0  # seconds of trying once nothing else is left to do


@dataclass(frozen=True)
class _Entry:
    cell: Cell
    result: CellResult
    device: str
    pack: Sequence[str]
    environment: Mapping[str, Any]


class Ledger:
    """Writes results into a store, and keeps those that it does not take yet."""

    def __init__(self, store: Store, environment: Mapping[str, Any], observer: Observer) -> None:
        self._store, self._environment, self._observer = store, environment, observer
        self._unwritten: list[_Entry] = []
        self._tried = 0.0

    def record(
        self,
        cell: Cell,
        result: CellResult,
        device: str,
        pack: Sequence[str],
        environment: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a result, now or later; without an environment, it was computed in this one."""
        environment = environment or self._environment
        self._unwritten.append(_Entry(cell, result, device, pack, environment))
        if len(self._unwritten) == 1 or time.monotonic() - self._tried > _AGAIN_AFTER:
            self._try()

    def close(
        self, study: Study, cells: Sequence[Cell], command: str, *, patience: float | None = None
    ) -> None:
        """Write everything: try until it succeeds, for `patience` seconds, by default ten
        minutes, or until the user stops it.

        Raises `StoreError` that says where the rest has gone.
        """
        end = time.monotonic() + (_PATIENCE if patience is None else patience)
        told = False
        try:
            while (error := self._try()) is not None:
                if time.monotonic() > end:
                    break
                if not told:
                    self._observer.waiting(
                        f"waiting to store {len(self._unwritten)} results: {error}"
                    )
                    told = True
                time.sleep(1)
        finally:
            if self._unwritten:
                self._rescue(study, cells, command)

    def _try(self) -> StoreError | None:
        """Write what is unwritten; returns what stands in the way."""
        try:
            while self._unwritten:
                one = self._unwritten[0]
                self._store.record(one.cell, one.result, one.environment, one.device, pack=one.pack)
                del self._unwritten[0]
        except StoreBusyError as error:
            self._tried = time.monotonic()
            return error
        return None

    def _rescue(self, study: Study, cells: Sequence[Cell], command: str) -> None:
        names = ", ".join(_place(one.cell) for one in self._unwritten[:3])
        more = f" and {len(self._unwritten) - 3} more" if len(self._unwritten) > 3 else ""
        folder = Path(tempfile.mkdtemp(prefix="augbench-unsaved-"))
        with Store.open(folder) as spare:
            spare.plan(study, cells, command)
            for one in self._unwritten:
                spare.record(one.cell, one.result, one.environment, one.device, pack=one.pack)
        raise StoreError(
            f"{len(self._unwritten)} results could not be written into {str(self._store.path)!r} "
            f"({names}{more}); they are kept in {str(folder)!r}: join both with `augbench merge`"
        )


def _place(cell: Cell) -> str:
    pair = cell.pretrain.name, cell.finetune.name
    return place_name(*pair, cell.arm.label, cell.samples_per_class, cell.seed)
