"""The true labels of test sets in the store's table, one row for each content."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from augbench.datasets.contract import DatasetInfo
from augbench.labels import decode
from augbench.store._checksums import CellRow, Damage, checksum

__all__ = [
    "LABEL_COLUMNS",
    "LabelRow",
    "check_predictions",
    "copy_labels",
    "keep_labels",
    "sound_labels",
]


class LabelRow(NamedTuple):
    """A row of the table of test labels: those of `images` images, see `augbench.labels`."""

    dataset: str
    images: int
    classes: int
    labels: bytes
    checksum: str = ""

    def check(self) -> None:
        """Raises `Damage` if the row is not as it was written."""
        if self.checksum != checksum(self[:-1]):
            raise Damage("they do not agree with their checksum")
        try:
            decode(self.labels, self.images, self.classes)
        except ValueError as error:
            raise Damage(str(error)) from error


LABEL_COLUMNS = ", ".join(LabelRow._fields)
_WRITE = f"INSERT OR REPLACE INTO test_labels ({LABEL_COLUMNS}) VALUES (?, ?, ?, ?, ?)"


def keep_labels(connection: sqlite3.Connection, infos: Iterable[DatasetInfo]) -> None:
    """Write the test labels of these data sets, of those that are known; damaged ones anew."""
    for info in {info.content_hash: info for info in infos if info.test_labels}.values():
        if info.content_hash not in sound_labels(connection, [info.content_hash]):
            row = LabelRow(info.content_hash, info.test_size, len(info.classes), info.test_labels)
            connection.execute(_WRITE, row._replace(checksum=checksum(row[:-1])))


def sound_labels(connection: sqlite3.Connection, datasets: Iterable[str]) -> dict[str, LabelRow]:
    """The rows of these contents that are there and undamaged, by content."""
    found = {}
    for dataset in datasets:
        query = f"SELECT {LABEL_COLUMNS} FROM test_labels WHERE dataset = ?"
        for row in map(LabelRow._make, connection.execute(query, (dataset,))):
            try:
                row.check()
            except Damage:
                continue
            found[dataset] = row
    return found


def copy_labels(read: sqlite3.Connection, write: sqlite3.Connection) -> None:
    """Copy the labels that the other store lacks; what is damaged stays behind."""
    names = [name for (name,) in read.execute("SELECT dataset FROM test_labels")]
    known = sound_labels(write, names)
    for name, row in sound_labels(read, names).items():
        if name not in known:
            write.execute(_WRITE, row)


def check_predictions(row: CellRow, true: LabelRow | None) -> None:
    """Raises `Damage` if predicted classes and true labels do not give the bits of a sound row.

    Nothing is checked where the labels are not known.
    """
    if row.predicted is None or true is None or row.status != "ok":
        return
    try:
        predicted = decode(row.predicted, true.images, true.classes)
    except ValueError as error:
        raise Damage(f"its predicted classes: {error}") from error
    right = predicted == decode(true.labels, true.images, true.classes)
    if np.packbits(right).tobytes() != row.correct:
        raise Damage("its predicted classes and its bits do not agree")
