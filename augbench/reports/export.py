"""Exports of a study: its cells as CSV, JSON or Parquet."""

from __future__ import annotations

import base64
import csv
import io
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from augbench.errors import AugbenchError, UsageError
from augbench.reports._json import to_text
from augbench.results import StudyResult
from augbench.statistics import recall_by_class
from augbench.store import PlannedCell
from augbench.text import encodable, in_a_cell
from augbench.writing import Content, save

__all__ = [
    "FORMATS",
    "export",
    "exported",
    "to_csv",
    "to_json",
]

FORMATS = ("csv", "json", "parquet")

_TEXT = (
    "pretrain_dataset",
    "finetune_dataset",
    "backbone",
    "augmentation",
    "budget",
    "readout",
    "role",
    "status",
    "engine",
    "device",
    "finished_at",
    "error",
    "key",
)
_TRUE_OR_FALSE = ("collapsed", "tuned")
_WHOLE = ("samples_per_class", "finetune_samples_per_class", "trial", "seed", "environment")


def to_csv(result: StudyResult) -> str:
    """The rows of `StudyResult.cell_rows` in full precision; an empty field where one is None.

    A text that a spreadsheet would take for a formula has an apostrophe in front.
    """
    rows = [
        {name: in_a_cell(value) if isinstance(value, str) else value for name, value in row.items()}
        for row in result.cell_rows()
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def to_json(result: StudyResult) -> str:
    """Everything the store holds of the study, training curves and correctness bits included.

    `correct` is base64 of the packed bits, one for each test image, the first in the highest bit.
    `recall_by_class` has a share for each class in the order of the data set's classes, null for
    one without test images; it is null itself where predictions are not known. `trials` chose the
    settings of tuned cells: see `StudyResult.trial_rows`.
    """
    cells = []
    for row, cell in zip(result.cell_rows(), result.cells, strict=True):
        done = cell.result
        cells.append(
            {
                **row,
                "traceback": done.traceback if done else None,
                "curves": {name: asdict(curve) for name, curve in done.curves.items()}
                if done
                else {},
                "correct": base64.b64encode(done.correct).decode() if done else "",
                "recall_by_class": _recalls(result, cell),
            }
        )
    tree = {
        "study": result.plan(),
        "environments": result.environments(),
        "cells": cells,
        "trials": result.trial_rows(),
    }
    return f"{to_text(tree)}\n"


def _recalls(result: StudyResult, cell: PlannedCell) -> list[float] | None:
    counts = result.confusion(cell)
    return None if counts is None else recall_by_class(counts).tolist()


def export(result: StudyResult, path: Path, file_format: str | None = None) -> None:
    """Write a study to `path` as `csv`, `json` or `parquet`, by default as its suffix says.

    Raises `UsageError` for another format, `AugbenchError` where Parquet needs pyarrow and there
    is none, and `StoreError` if the file cannot be written.
    """
    chosen = file_format or path.suffix.lstrip(".").lower()
    if chosen not in FORMATS:
        raise UsageError(
            f"expected a file that ends in .csv, .json or .parquet, got {path.name!r}; "
            "or name the format with --format"
        )
    content: Content
    if chosen == "parquet":
        content = partial(_write_parquet, result)
    else:
        content = to_csv(result) if chosen == "csv" else to_json(result)
    save(path, content, hint="name a writable file")


def exported(result: StudyResult, file_format: str) -> str:
    """A study as the text of a file of that format, `csv` or `json`.

    Raises `UsageError` for Parquet, which is no text.
    """
    if file_format == "parquet":
        raise UsageError(
            "Parquet is no text for the standard output: name a file, or --format csv or json"
        )
    return to_csv(result) if file_format == "csv" else to_json(result)


def _write_parquet(result: StudyResult, path: Path) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise AugbenchError(
            "Parquet needs pyarrow, which is not installed; `pip install 'augbench[parquet]'`, "
            "or export to .csv or .json"
        ) from error
    rows = result.cell_rows()
    names = list(rows[0]) if rows else []
    kinds = {
        **dict.fromkeys(_TEXT, pyarrow.string()),
        **dict.fromkeys(_WHOLE, pyarrow.int64()),
        **dict.fromkeys(_TRUE_OR_FALSE, pyarrow.bool_()),
    }
    columns = {
        name: pyarrow.array([_clean(row[name]) for row in rows], kinds.get(name, pyarrow.float64()))
        for name in names
    }
    columns["correct"] = pyarrow.array(
        [cell.result.correct if cell.result else None for cell in result.cells], pyarrow.binary()
    )
    table = pyarrow.table(columns).replace_schema_metadata(
        {
            "study": json.dumps(result.plan()),
            "environments": json.dumps(result.environments()),
        }
    )
    parquet.write_table(table, path)


def _clean(value: Any) -> Any:
    return encodable(value) if isinstance(value, str) else value
