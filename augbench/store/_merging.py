"""Merging: the stores of several machines become one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from augbench.errors import StoreError
from augbench.pictures.archive import merge_pictures
from augbench.protocol.study import PROTOCOL_VERSION, place_name
from augbench.store._agreement import Disagreement, disagreements
from augbench.store._checksums import COLUMNS, CellRow, Damage, sound_metrics
from augbench.store._copying import copy_cells, copy_studies
from augbench.store._publishing import check_free, new_store
from augbench.store._store import Store
from augbench.store._studies import all_studies

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

    `shared` counts cells that more than one source held, `damaged` the rows of cells and studies
    that were left out.
    """

    studies: int
    cells: int
    shared: int
    conflicts: tuple[Conflict, ...]
    damaged: int = 0


def merge(sources: Sequence[Path], out: Path) -> Merged:
    """Join stores into a new one in the folder `out`; the sources stay as they are.

    A cell that several stores hold is taken from the first that computed it without failing; where
    another has other metrics, that is reported. Raises `StoreError` if a source holds cells of
    another protocol version, or `out` holds a store; nothing is left in `out` then.
    """
    check_free(out)
    for source in sources:
        with Store.read(source) as store:
            _check_protocol(store)
    log = _Log()
    with new_store(out) as folder:
        with Store.open(folder) as target:
            for source in sources:
                with (
                    Store.read(source) as store,
                    store.connection() as read,
                    target.connection(write=True) as write,
                ):
                    log.source = str(source)
                    copied = copy_cells(read, write, log.meet)
                    log.origins |= dict.fromkeys(copied.written, log.source)
                    log.shared += copied.shared
                    log.damaged += copied.damaged + copy_studies(read, write)
            with target.connection() as connection:
                (studies,) = connection.execute("SELECT count(*) FROM studies").fetchone()
                (cells,) = connection.execute("SELECT count(*) FROM cells").fetchone()
        merge_pictures([source if source.is_dir() else source.parent for source in sources], folder)
    return Merged(studies, cells, log.shared, tuple(log.conflicts), log.damaged)


@dataclass
class _Log:
    """The course of a merge: `origins` are the sources of cells, by their keys."""

    source: str = ""
    origins: dict[str, str] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    shared: int = 0
    damaged: int = 0

    def meet(self, known: CellRow, row: CellRow) -> None:
        """Note two results of one cell that do not agree."""
        if metrics := _differences(known, row):
            kept = self.origins.get(row.key, self.source)
            self.conflicts.append(Conflict(_place(row), kept, self.source, metrics))


def _differences(known: CellRow, row: CellRow) -> tuple[Disagreement, ...]:
    images = row.test_images or 8 * len(row.correct)
    return disagreements(json.loads(known.metrics), json.loads(row.metrics), images=images)


def _check_protocol(store: Store) -> None:
    """Raises `StoreError` if a sound cell or study is of another protocol."""
    with store.connection() as connection:
        rows = connection.execute(
            f"SELECT {COLUMNS} FROM cells WHERE protocol IS NOT ?", (PROTOCOL_VERSION,)
        )
        found = set()
        for row in map(CellRow._make, rows):
            with suppress(Damage):
                sound_metrics(row)
                found.add(row.protocol)
        for study in all_studies(connection):
            with suppress(Damage):  # it is left out
                found |= {study.described()["protocol"]} - {PROTOCOL_VERSION}
    if found:
        raise StoreError(
            f"{str(store.path)!r} holds cells of protocol version {min(found)}, this AugBench "
            f"merges version {PROTOCOL_VERSION}; numbers of different protocols must not be mixed"
        )


def _place(row: CellRow) -> str:
    return place_name(
        row.pretrain_dataset,
        row.finetune_dataset,
        row.augmentation,
        row.samples_per_class,
        row.seed,
    )
