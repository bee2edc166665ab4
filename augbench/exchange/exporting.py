"""A study as a table of its cells: CSV, JSON, Parquet."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from augbench.errors import AugbenchError, StoreError, UsageError
from augbench.protocol.metrics import METRICS
from augbench.protocol.references import reference
from augbench.results import StudyResult

__all__ = [
    "FORMATS",
    "cell_rows",
    "environments",
    "export",
    "metric_names",
    "role",
    "study_summary",
    "to_csv",
    "to_json",
]

FORMATS = ("csv", "json", "parquet")

_TEXT = (
    "pretrain_dataset",
    "finetune_dataset",
    "backbone",
    "augmentation",
    "role",
    "status",
    "engine",
    "device",
    "finished_at",
    "error",
    "key",
)
_WHOLE = ("samples_per_class", "seed", "environment")


def metric_names(result: StudyResult) -> tuple[str, ...]:
    """The metrics that any cell of the study has, the protocol's own first."""
    found = {name for cell in result.cells if cell.result for name in cell.result.metrics}
    known = [one.name for one in METRICS]
    return (
        *(name for name in known if name in found),
        *sorted(found.difference(known)),
    )


def role(result: StudyResult, samples_per_class: int | None) -> str:
    """What a cell of that size is for: `sweep`, `ruler`, `floor` or `ceiling`."""
    if found := reference(samples_per_class):
        return found.name
    return "sweep" if samples_per_class in result.sizes else "ruler"


def environments(result: StudyResult) -> list[dict[str, Any]]:
    """The environments that the study's cells were computed in, in the order of the plan."""
    found = {
        json.dumps(dict(c.environment), sort_keys=True): None for c in result.cells if c.result
    }
    return [json.loads(text) for text in found]


def cell_rows(result: StudyResult) -> list[dict[str, Any]]:
    """One row for each planned cell, in the order of the plan, with the same columns in each.

    `samples_per_class` is None for the ceiling (all of D_P) and 0 for the floor. What a cell does
    not have is None. `environment` counts the list of `environments` from 0.
    """
    metrics = metric_names(result)
    number = {_canonical(e): i for i, e in enumerate(environments(result))}
    backbone = result.stored.description["backbone"]["label"]
    rows = []
    for cell in result.cells:
        done = cell.result
        rows.append(
            {
                "pretrain_dataset": cell.pretrain_dataset,
                "finetune_dataset": cell.finetune_dataset,
                "backbone": backbone,
                "augmentation": cell.augmentation,
                "role": role(result, cell.samples_per_class),
                "samples_per_class": cell.samples_per_class,
                "seed": cell.seed,
                "status": cell.status,
                **{name: _finite(done.metrics.get(name)) if done else None for name in metrics},
                "seconds": done.seconds if done else None,
                "engine": done.engine if done else None,
                "device": cell.device if done else None,
                "finished_at": _time(cell.finished_at),
                "environment": number[_canonical(cell.environment)] if done else None,
                "error": done.error if done else None,
                "key": cell.key,
            }
        )
    return rows


def to_csv(result: StudyResult) -> str:
    """The rows of `cell_rows`, numbers in full precision, nothing where a value is None."""
    rows = cell_rows(result)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def to_json(result: StudyResult) -> str:
    """Everything the store holds of the study, training curves and correctness bits included.

    `correct` is base64 of the packed bits, one for each test image, the first in the highest bit.
    """
    cells = []
    for row, cell in zip(cell_rows(result), result.cells, strict=True):
        done = cell.result
        cells.append(
            {
                **row,
                "traceback": done.traceback if done else None,
                "curves": {name: asdict(curve) for name, curve in done.curves.items()}
                if done
                else {},
                "correct": base64.b64encode(done.correct).decode() if done else "",
            }
        )
    tree = {
        "study": study_summary(result),
        "environments": environments(result),
        "cells": cells,
    }
    return json.dumps(_plain(tree), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def study_summary(result: StudyResult) -> dict[str, Any]:
    """The study without its cells."""
    stored = result.stored
    return {
        "number": stored.id,
        "created_at": _time(stored.created_at),
        "command": stored.command,
        "description": dict(stored.description),
    }


def export(result: StudyResult, path: Path, file_format: str | None = None) -> None:
    """Write a study to `path` as `csv`, `json` or `parquet`; by default what its suffix says.

    Raises `UsageError` for another format, `AugbenchError` where Parquet needs pyarrow and there
    is none, and `StoreError` if the file cannot be written.
    """
    chosen = file_format or path.suffix.lstrip(".").lower()
    if chosen not in FORMATS:
        raise UsageError(
            f"expected a file that ends in .csv, .json or .parquet, got {path.name!r}; "
            "or name the format with --format"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if chosen == "parquet":
            _write_parquet(result, path)
        else:
            text = to_csv(result) if chosen == "csv" else to_json(result)
            path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise StoreError(
            f"cannot write {str(path)!r} ({error.strerror or error}); name a writable file"
        ) from error


def _write_parquet(result: StudyResult, path: Path) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise AugbenchError(
            "Parquet needs pyarrow, which is not installed; `pip install 'augbench[parquet]'`, "
            "or export to .csv or .json"
        ) from error
    rows = cell_rows(result)
    names = list(rows[0]) if rows else []
    kinds = {
        **dict.fromkeys(_TEXT, pyarrow.string()),
        **dict.fromkeys(_WHOLE, pyarrow.int64()),
    }
    columns = {
        name: pyarrow.array([row[name] for row in rows], kinds.get(name, pyarrow.float64()))
        for name in names
    }
    columns["correct"] = pyarrow.array(
        [cell.result.correct if cell.result else None for cell in result.cells], pyarrow.binary()
    )
    table = pyarrow.table(columns).replace_schema_metadata(
        {
            "study": json.dumps(study_summary(result)),
            "environments": json.dumps(environments(result)),
        }
    )
    parquet.write_table(table, path)


def _canonical(environment: Mapping[str, Any]) -> str:
    return json.dumps(dict(environment), sort_keys=True)


def _time(seconds: float | None) -> str | None:
    """Unix time as ISO 8601 in UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _plain(node: Any) -> Any:
    """JSON has no NaN: what is not finite is null."""
    if isinstance(node, dict):
        return {name: _plain(value) for name, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_plain(value) for value in node]
    if isinstance(node, float):
        return _finite(node)
    return node
