"""Studies and cells of a store, as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from augbench.protocol.cell_result import CellResult, Failure, TrainingCurve
from augbench.protocol.readouts import LINEAR
from augbench.protocol.study import place_name, study_in_short
from augbench.store._checksums import CellRow, Damage, curves_of, sound_metrics
from augbench.text import shown

__all__ = ["PlannedCell", "StoredStudy", "planned_cell"]


@dataclass(frozen=True)
class PlannedCell:
    """One planned cell of a stored study, with its result once there is one.

    `status` is `ok`, `failed` or `missing`. `samples_per_class` is s, 0 for the floor and None
    for the ceiling; `augmentation` is the label of the arm, `budget` the length of pretraining in
    words. `environment` describes the machine and the versions that computed it.
    `finetune_samples` is None in a study of but one number of them. `role` is `result`, `trial`, or
    `tuned`: a result under what a trial has chosen, whose number is `trial`.
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
    readout: str = LINEAR.name
    finetune_samples: int | None = None
    role: str = "result"
    trial: int | None = None
    fold: int | None = None

    def __repr__(self) -> str:
        role = f", {self.role}" if self.role != "result" else ""
        told = f"{self.place}, {self.budget}, {self.readout}{role}: {self.status}"
        if self.result is not None and "accuracy" in self.result.metrics:
            told += f", accuracy {self.result.metrics['accuracy']:.4f}"
        return f"<PlannedCell {shown(told)}>"

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
    nothing else, but for the primary budget: the seeds beyond it were added when results could be
    seen already. `first_primary_budget` is that of the first such study, in words; None without
    any. `damaged` are the keys of missing cells whose rows are there, but not as they were written.
    `test_labels` are the true classes of test images, see `augbench.labels`, by the names of the
    data sets; a store of an earlier format does not know them. `in_store` are the numbers of all
    studies of the store that can be read, the one that ran last at the end.
    """

    id: int
    description: Mapping[str, Any]
    command: str
    created_at: float
    cells: tuple[PlannedCell, ...]
    first_seeds: int | None = None
    damaged: frozenset[str] = frozenset()
    test_labels: Mapping[str, bytes] = field(default_factory=dict)
    first_primary_budget: str | None = None
    in_store: tuple[int, ...] = ()

    def __repr__(self) -> str:
        told = self.description
        short = study_in_short(
            told["pairs"], len(told["arms"]), len(told["samples_per_class"]), told["seeds"]
        )
        return f"<StoredStudy {self.id}: {short}; {len(self.cells):,} cells>"


class _StoredCurves(Mapping[str, TrainingCurve]):
    """The curves of a cell, read from their text when first used: most reports use none."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _curves(self) -> dict[str, TrainingCurve]:
        return curves_of(self._text)

    def __getitem__(self, name: str) -> TrainingCurve:
        return self._curves[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._curves)

    def __len__(self) -> int:
        return len(self._curves)


def planned_cell(
    planned: tuple[Any, ...], row: CellRow | None, environments: Mapping[str, Any]
) -> PlannedCell:
    """A line of a plan with its row, which is left out if it is damaged."""
    _, key, pretrain, finetune, arm, budget, size, seed, *rest = planned
    readout, finetune_samples, role, trial, fold = rest
    result = None
    if row is not None:
        with suppress(Damage):
            result = CellResult(
                key=key,
                metrics=sound_metrics(row),
                curves=_StoredCurves(row.curves),
                correct=row.correct,
                seconds=row.seconds,
                engine=row.engine,
                error=row.error,
                traceback=row.traceback,
                lost=lost(row.failure),
                predicted=row.predicted or b"",
            )
    done = row if result is not None else None
    return PlannedCell(
        key=key,
        pretrain_dataset=pretrain,
        finetune_dataset=finetune,
        augmentation=arm,
        budget=budget,
        samples_per_class=size,
        seed=seed,
        status=done.status if done else "missing",
        result=result,
        device=done.device if done else "",
        finished_at=done.finished_at if done else None,
        environment=environments.get(done.environment, {}) if done else {},
        readout=readout,
        finetune_samples=finetune_samples,
        role=role,
        trial=trial,
        fold=fold,
    )


def lost(failure: str) -> Failure:
    """The part of a failure's kind that its error does not tell."""
    if failure == "crashed":
        return "crashed"
    return "timed out" if failure == "timed out" else ""
