"""A study and its cells as plain values, ready for CSV and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from augbench.protocol.metrics import METRICS, PRIMARY
from augbench.protocol.readouts import READOUTS
from augbench.protocol.references import reference
from augbench.protocol.shift import SHIFT_ACCURACY, is_shift_metric
from augbench.results._views import View

if TYPE_CHECKING:
    from augbench.results._study import StudyResult
    from augbench.store import PlannedCell

__all__ = ["cell_rows", "distinct_environments", "study_plan", "trial_rows"]


def study_plan(result: StudyResult) -> dict[str, Any]:
    """The study without its cells: number, time, command and description."""
    stored = result.stored
    return {
        "number": stored.id,
        "created_at": _iso_time(stored.created_at),
        "command": stored.command,
        "description": dict(stored.description),
    }


def distinct_environments(result: StudyResult) -> list[dict[str, Any]]:
    """The environments that the study's cells were computed in, in the order of the plan."""
    found = {_canonical(cell.environment): None for cell in result.cells if cell.result}
    return [json.loads(text) for text in found]


def cell_rows(result: StudyResult) -> list[dict[str, Any]]:
    """One row for each planned cell, in the order of the plan, with the same columns in each."""
    metrics = _metric_names(result)
    number = {_canonical(e): i for i, e in enumerate(distinct_environments(result))}
    backbone = result.stored.description["backbone"]["label"]
    finetuning_images = _finetuning_images(result)
    rows = []
    for cell in result.cells:
        done = cell.result
        rows.append(
            {
                "pretrain_dataset": cell.pretrain_dataset,
                "finetune_dataset": cell.finetune_dataset,
                "backbone": backbone,
                "augmentation": cell.augmentation,
                "budget": cell.budget,
                "readout": cell.readout,
                "finetune_samples_per_class": finetuning_images(cell),
                "tuned": cell.role == "tuned",
                "trial": cell.trial,
                "role": _role(result, cell.samples_per_class),
                "samples_per_class": cell.samples_per_class,
                "seed": cell.seed,
                "status": cell.status,
                **{name: _metric(result, cell, name) for name in metrics},
                **{one.column: _metric(result, cell, one.metric) for one in result.shift_tests},
                "collapsed": _collapsed(result, cell),
                "seconds": done.seconds if done else None,
                "engine": done.engine if done else None,
                "device": cell.device if done else None,
                "finished_at": _iso_time(cell.finished_at),
                "environment": number[_canonical(cell.environment)] if done else None,
                "error": done.error if done else None,
                "key": cell.key,
            }
        )
    return rows


def trial_rows(result: StudyResult) -> list[dict[str, Any]]:
    """See `StudyResult.trial_rows`."""
    tuning = result.tuning
    if tuning is None:
        return []
    values = {label: tuning.values(label) for label in result.augmentations}
    finetuning_images = _finetuning_images(result)
    return [
        {
            "pretrain_dataset": cell.pretrain_dataset,
            "finetune_dataset": cell.finetune_dataset,
            "augmentation": cell.augmentation,
            "budget": cell.budget,
            "readout": cell.readout,
            "finetune_samples_per_class": finetuning_images(cell),
            "samples_per_class": cell.samples_per_class,
            "trial": cell.trial,
            "values": values[cell.augmentation][cell.trial or 0],
            "seed": cell.seed,
            "fold": cell.fold,
            "status": cell.status,
            "validation_accuracy": _metric(result, cell, PRIMARY.name),
            "diverged": bool(cell.result and cell.result.metrics.get("diverged")),
            "error": cell.result.error if cell.result else None,
            "key": cell.key,
        }
        for cell in result.trials
    ]


def _finetuning_images(result: StudyResult) -> Callable[[PlannedCell], int | None]:
    """Tells of a cell its finetuning images of each class; None for a readout that has none."""
    description, name = result.stored.description, "finetune_samples_per_class"
    usual: int = description["settings"][name]
    own: dict[str, int] = {
        arm["shown"]: arm.get("settings", {}).get(name, usual)
        for arm in description["arms"]
        if arm.get("own_finetune_size") or name in arm.get("settings", {})
    }

    def tell(cell: PlannedCell) -> int | None:
        if not READOUTS[cell.readout].on_finetuning_data:
            return None
        return own.get(cell.augmentation, cell.finetune_samples or usual)

    return tell


def _iso_time(seconds: float | None) -> str | None:
    """Unix time as ISO 8601 in UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _metric_names(result: StudyResult) -> tuple[str, ...]:
    """The metrics that any cell of the study has, the protocol's own first.

    Without those under single corruptions, of which the store may hold more than the study asks.
    """
    found = {name for cell in result.cells if cell.result for name in cell.result.metrics}
    found = {name for name in found if not is_shift_metric(name)}
    if result.shift_tests:
        found.add(SHIFT_ACCURACY)
    if any(result.has_predictions(cell) for cell in result.cells):
        found |= {one.name for one in METRICS if one.from_predictions}
    known = [one.name for one in METRICS]
    return (
        *(name for name in known if name in found),
        *sorted(found.difference(known)),
    )


def _metric(result: StudyResult, cell: PlannedCell, name: str) -> float | None:
    if cell.result is None:
        return None
    return _finite(cell.result.metrics.get(name, result.metric_of(cell, name)))


def _role(result: StudyResult, samples_per_class: int | None) -> str:
    """The purpose of a cell of that size: `sweep`, `ruler`, `floor` or `ceiling`."""
    if found := reference(samples_per_class):
        return found.name
    return "sweep" if samples_per_class in result.sizes else "ruler"


def _collapsed(result: StudyResult, cell: PlannedCell) -> bool | None:
    """True for a cell near chance where others learn; None where there is no accuracy."""
    if cell.status != "ok":
        return None
    pair = cell.pretrain_dataset, cell.finetune_dataset
    at = result.about(PRIMARY.name).at(cell.budget, View.of(cell))
    found = at.collapsed(pair, (cell.samples_per_class,))
    return bool(found[cell.augmentation][cell.seed, 0])


def _canonical(environment: Mapping[str, Any]) -> str:
    return json.dumps(dict(environment), sort_keys=True)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
