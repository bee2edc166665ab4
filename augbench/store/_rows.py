"""Studies and cells of a store, as plain values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from augbench.protocol.cell_result import CellResult, TrainingCurve
from augbench.protocol.study import place_name

__all__ = ["PlannedCell", "StoredStudy", "planned_cell"]


@dataclass(frozen=True)
class PlannedCell:
    """One planned cell of a stored study, with its result once there is one.

    `status` is `ok`, `failed` or `missing`. `samples_per_class` is s, 0 for the floor and None
    for the ceiling; `augmentation` is the label of the arm, `budget` the length of pretraining in
    words. `environment` describes the machine and the versions that computed it.
    """

    key: str
    pretrain_dataset: str
    finetune_dataset: str
    augmentation: str
    budget: str
    samples_per_class: int | None
    seed: int
    status: str
    result: CellResult | None
    device: str
    finished_at: float | None
    environment: Mapping[str, Any]

    @property
    def place(self) -> str:
        """The cell's place in its study, in one line."""
        return place_name(
            self.pretrain_dataset,
            self.finetune_dataset,
            self.augmentation,
            self.samples_per_class,
            self.seed,
        )


@dataclass(frozen=True)
class StoredStudy:
    """A study as the store holds it: its description, its command, and its cells in plan order.

    `first_seeds` is the number of seeds of the smallest study that was run before and differs in
    nothing else: the seeds beyond it were added when results could be seen already.
    """

    id: int
    description: Mapping[str, Any]
    command: str
    created_at: float
    cells: tuple[PlannedCell, ...]
    first_seeds: int | None = None


class _StoredCurves(Mapping[str, TrainingCurve]):
    """The curves of a cell, read from their text when first used: most reports use none."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _curves(self) -> dict[str, TrainingCurve]:
        return {
            name: TrainingCurve(**{field: tuple(values) for field, values in curve.items()})
            for name, curve in json.loads(self._text).items()
        }

    def __getitem__(self, name: str) -> TrainingCurve:
        return self._curves[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._curves)

    def __len__(self) -> int:
        return len(self._curves)


def planned_cell(row: tuple[Any, ...], environments: Mapping[str, Any]) -> PlannedCell:
    """One row of the query in `Store.study`."""
    key, pretrain, finetune, arm, budget, size, seed, status = row[:8]
    result = None
    if status is not None:
        error, trace, metrics, curves, correct, engine = row[8:14]
        result = CellResult(
            key=key,
            metrics=json.loads(metrics),
            curves=_StoredCurves(curves),
            correct=correct,
            seconds=row[15],
            engine=engine,
            error=error,
            traceback=trace,
        )
    return PlannedCell(
        key=key,
        pretrain_dataset=pretrain,
        finetune_dataset=finetune,
        augmentation=arm,
        budget=budget,
        samples_per_class=size,
        seed=seed,
        status=status or "missing",
        result=result,
        device=row[14] or "",
        finished_at=row[16],
        environment=environments.get(row[17], {}),
    )
