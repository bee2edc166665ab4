"""Several runs on one store: each trains what no other is training, and waits for the rest.

A run claims cells when it is about to train them, and shows by a heartbeat that it lives. The
claims of one that is dead are taken over.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from augbench.errors import AugbenchError, StoreBusyError
from augbench.options import Options
from augbench.protocol.study import Cell
from augbench.protocol.wanted import Wanted
from augbench.store import Owner, Store

__all__ = ["Share"]

_BEAT_EVERY = 5.0  # seconds


class Share:
    """This run's share of the work on a store; a context, at whose end its claims are released."""

    def __init__(self, store: Store, options: Options, wanted: Wanted) -> None:
        self._store = store
        self._ignore, self._wanted = options.ignore_claims, wanted
        self._owner = Owner.of_this_process()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        with contextlib.suppress(StoreBusyError):
            self._store.beat(self._owner)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        with contextlib.suppress(AugbenchError):
            self._store.release_all(self._owner)

    def claimed(self, packs: Sequence[Sequence[Cell]]) -> Iterator[list[Cell]]:
        """Yield each pack when it is asked for, with the cells that are nobody else's."""
        for pack in packs:
            keys = [cell.key for cell in pack]
            try:
                mine = self._store.claim(
                    keys, self._owner, ignore=self._ignore, wanted=self._wanted
                )
            except StoreBusyError:
                mine = set(keys)  # better trained twice than not: the first result stays
            if free := [cell for cell in pack if cell.key in mine]:
                yield free

    def _beat(self) -> None:
        while not self._over.wait(_BEAT_EVERY):
            with contextlib.suppress(AugbenchError):
                self._store.beat(self._owner)
