"""The row of a cell, its checksum, and what damage is found by."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from augbench.protocol.cell_result import CellResult, TrainingCurve
from augbench.protocol.metrics import PRIMARY
from augbench.protocol.study import PROTOCOL_VERSION, Cell

__all__ = [
    "COLUMNS",
    "CellRow",
    "Damage",
    "checksum",
    "content_id",
    "curves_of",
    "is_time",
    "new_row",
    "signed",
    "sound_metrics",
    "storable",
    "thoroughly_sound",
]


class CellRow(NamedTuple):
    """A row of the table of cells."""

    key: str
    pretrain_key: str
    protocol: int
    pretrain_dataset: str
    finetune_dataset: str
    backbone: str
    augmentation: str
    samples_per_class: int | None
    seed: int
    settings: str
    status: str
    error: str | None
    traceback: str | None
    metrics: str
    curves: str
    correct: bytes
    engine: str
    device: str
    seconds: float
    finished_at: float
    environment: str
    failure: str = ""
    pack: str = ""
    test_images: int | None = None
    predicted: bytes | None = None
    checksum: str = ""

    def computed_checksum(self) -> str:
        """The checksum over the other columns; rows from before format 4 have no `predicted`."""
        values = self[:-1] if self.predicted is not None else self[:-2]
        return checksum(values)


COLUMNS = ", ".join(CellRow._fields)


class Damage(ValueError):
    """A row is not what was written; the text says by what that is seen."""


def checksum(values: Iterable[Any]) -> str:
    """SHA-256, of which 32 letters are kept, over values as SQLite returns them.

    Types are a part of it, and lengths, so that no text can pass for two values.
    """
    plain = "".join([_plain(value) for value in values])
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _plain(value: object) -> str:
    if isinstance(value, str):
        return f"s{len(value)}:{value}"
    if isinstance(value, bytes):
        return f"b{value.hex()};"
    return f"{value!r};"  # an integer, a float to its last bit, or None


def content_id(text: str) -> str:
    """The name of a text that many rows refer to."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def storable(text: str) -> str:
    """The text with lone surrogates written out: a database takes only what UTF-8 can say."""
    return text.encode("utf-8", "backslashreplace").decode()


def new_row(
    cell: Cell,
    result: CellResult,
    *,
    settings: str,
    device: str,
    environment: str,
    pack: str,
    at: float,
) -> CellRow:
    """The row of a cell's outcome; `settings`, `environment` and `pack` are ids."""
    row = CellRow(
        cell.key,
        cell.pretrain_key,
        PROTOCOL_VERSION,
        storable(cell.pretrain.name),
        storable(cell.finetune.name),
        storable(cell.backbone.label),
        storable(cell.pipeline.label),
        cell.samples_per_class,
        cell.seed,
        settings,
        "ok" if result.ok else "failed",
        None if result.error is None else storable(result.error),
        None if result.traceback is None else storable(result.traceback),
        json.dumps(result.metrics),
        json.dumps({name: vars(curve) for name, curve in result.curves.items()}),
        result.correct,
        storable(result.engine),
        storable(device),
        float(result.seconds) if math.isfinite(result.seconds) else 0.0,
        at,
        environment,
        result.failure,
        pack,
        None if cell.trial is not None else cell.judged_on.test_size,
        result.predicted or None,
    )
    return signed(row)


def is_time(value: object) -> bool:
    """True for a Unix time that a calendar can show."""
    return isinstance(value, float) and 0 <= value < _YEAR_9999


_YEAR_9999 = 253_370_764_800.0


def signed(row: CellRow) -> CellRow:
    """The row with its checksum."""
    return row._replace(checksum=row.computed_checksum())


def sound_metrics(row: CellRow) -> dict[str, float]:
    """The metrics of a row, if it is as it was written; raises `Damage` otherwise."""
    if row.computed_checksum() != row.checksum:
        raise Damage("it does not agree with its checksum")
    metrics = _parsed(row.metrics, "metrics")
    if row.status == "ok":
        _check_bits(row, metrics)
    return metrics


def thoroughly_sound(row: CellRow) -> None:
    """Raises `Damage` if any part of the row cannot be read, its checksum aside."""
    metrics = _parsed(row.metrics, "metrics")
    try:
        curves_of(row.curves)
    except (ValueError, TypeError, AttributeError) as error:
        raise Damage("its curves cannot be read") from error
    for name, kinds in _KINDS.items():
        if not isinstance(getattr(row, name), kinds):
            raise Damage(f"its {name} is of the wrong type")
    if not is_time(row.finished_at):
        raise Damage("its time is none")
    if row.status not in ("ok", "failed") or (row.status == "failed" and row.error is None):
        raise Damage("neither a result nor a failure")
    if row.status == "ok":
        _check_bits(row, metrics)


_KINDS: dict[str, type | tuple[type, ...]] = {
    "key": str,
    "samples_per_class": (int, type(None)),
    "seed": int,
    "protocol": int,
    "seconds": float,
    "error": (str, type(None)),
    "traceback": (str, type(None)),
    "engine": str,
    "device": str,
    "environment": str,
    "settings": str,
    "predicted": (bytes, type(None)),
}


def _parsed(text: object, what: str) -> dict[str, Any]:
    try:
        found = json.loads(text)  # type: ignore[arg-type]  # damaged, it may be anything
    except (ValueError, TypeError) as error:
        raise Damage(f"its {what} cannot be read") from error
    if not isinstance(found, dict):
        raise Damage(f"its {what} cannot be read")
    return found


def _check_bits(row: CellRow, metrics: Mapping[str, Any]) -> None:
    """Raises `Damage` if the accuracy is not the share of right images in `correct`."""
    if not all(type(value) in (int, float) for value in metrics.values()):
        raise Damage("a metric is no number")
    accuracy = metrics.get(PRIMARY.name)
    if accuracy is None or not 0 <= accuracy <= 1:
        raise Damage("its accuracy is no share")
    if not isinstance(row.correct, bytes):
        raise Damage("its bits are no bits")
    images = row.test_images
    if images is None:  # of a store from before format 3 that holds no study of this data set
        return
    if len(row.correct) != -(-images // 8):
        raise Damage(f"it has bits of {8 * len(row.correct)} images, for {images} test images")
    right = int.from_bytes(row.correct, "big").bit_count()
    if abs(accuracy * images - right) > 0.5:
        raise Damage(f"its accuracy is {accuracy:.4f}, of its bits {right}/{images} are right")


def curves_of(text: str) -> dict[str, TrainingCurve]:
    """The curves of a cell from their JSON; raises `ValueError` or `TypeError` for any other."""
    found = {
        name: TrainingCurve(**{field: tuple(values) for field, values in curve.items()})
        for name, curve in json.loads(text).items()
    }
    for curve in found.values():
        for names in _TOGETHER:
            if len({len(getattr(curve, name)) for name in names}) != 1:
                raise ValueError("columns of a curve differ in length")
        if not all(
            type(value) in (int, float) for field in _FIELDS for value in getattr(curve, field)
        ):
            raise ValueError("a value of a curve is no number")
    return found


_FIELDS = tuple(field.name for field in fields(TrainingCurve))
_TOGETHER = (("step", "loss", "accuracy"), ("test_step", "test_loss", "test_accuracy"))
