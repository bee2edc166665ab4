"""The times that cells took, for estimates of what others will take."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

__all__ = ["CellTime", "times"]

_LATEST = 2000  # cells that are read; more make no estimate better


@dataclass(frozen=True)
class CellTime:
    """A computed cell's share of its pack's time, in seconds, and the circumstances.

    `settings` are its hyper-parameters with the identities of `backbone` and `augmentation`, and
    the content hashes of `pretrain_dataset` and `finetune_dataset`.
    """

    settings: Mapping[str, Any]
    samples_per_class: int | None
    seed: int
    seconds: float
    pretrain_seconds: float
    engine: str
    device: str
    environment: Mapping[str, Any]


def times(connection: sqlite3.Connection) -> list[CellTime]:
    """The times of the latest computed cells; damaged rows are left out."""
    environments = {}
    for key, text in connection.execute("SELECT id, description FROM environments"):
        with suppress(ValueError):
            environments[key] = json.loads(text)
    rows = connection.execute(
        "SELECT text, metrics, samples_per_class, seed, seconds, engine, device, environment "
        "FROM cells JOIN settings ON settings.id = cells.settings "
        "WHERE status = 'ok' ORDER BY finished_at DESC LIMIT ?",
        (_LATEST,),
    )
    return list(_sound(rows, environments))


def _sound(rows: sqlite3.Cursor, environments: Mapping[str, Any]) -> Iterator[CellTime]:
    for settings, metrics, size, seed, seconds, engine, device, environment in rows:
        with suppress(ValueError, TypeError, KeyError):
            pretraining = float(json.loads(metrics)["pretrain_seconds"])
            if math.isfinite(pretraining) and float(seconds) > 0:
                yield CellTime(
                    json.loads(settings),
                    size,
                    seed,
                    float(seconds),
                    pretraining,
                    engine,
                    device,
                    environments.get(environment, {}),
                )
