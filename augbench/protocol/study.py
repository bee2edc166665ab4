"""The study: everything that one run is to answer, and the cells that answer it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from augbench.datasets.contract import DatasetInfo
from augbench.options import Options, Settings
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Pipeline, shown_labels
from augbench.protocol.cell import (
    FIRST_TUNING_SEED,
    PROTOCOL_VERSION,
    Arm,
    Budget,
    Cell,
    Trial,
    digest,
    place_name,
    study_in_short,
)
from augbench.protocol.readouts import LINEAR, READOUTS
from augbench.protocol.references import REFERENCES
from augbench.protocol.shift import ShiftTest

if TYPE_CHECKING:
    from augbench.tuning.search import Search

__all__ = [
    "FIRST_TUNING_SEED",
    "PROTOCOL_VERSION",
    "Arm",
    "Budget",
    "Cell",
    "Settings",
    "Study",
    "Trial",
    "place_name",
    "study_in_short",
    "study_key",
]


@dataclass(frozen=True)
class Study:
    """Everything that one run is to answer.

    `settings` are those of arms without settings of their own; without `budgets`, they tell how
    long pretraining lasts, and without `finetune_sizes`, how many images of each class a head is
    finetuned on. `primary_budget` is the budget that it is judged by, None for the longest; no
    cell depends on it. `base` lies under the arms, whose pipelines hold it. `ruler_sizes` are
    further sizes for the baseline alone, against which label multipliers are read; `references`
    adds the floor and the ceiling of every pair and seed. A `search` chooses settings for all.
    `shift` are the corrupted test sets on which its results are measured as well.
    """

    pairs: tuple[tuple[DatasetInfo, DatasetInfo], ...]
    arms: tuple[Arm, ...]
    backbone: Component
    samples_per_class: tuple[int, ...] = Options.samples_per_class
    seeds: int = Options.seeds
    settings: Settings = Settings()
    budgets: tuple[Budget, ...] = ()
    baseline: Arm | None = None
    base: Pipeline | None = None
    ruler_sizes: tuple[int, ...] = ()
    references: bool = False
    test_every: int = 0
    readouts: tuple[str, ...] = (LINEAR.name,)
    finetune_sizes: tuple[int, ...] = ()
    search: Search | None = None
    shift: tuple[ShiftTest, ...] = ()
    primary_budget: Budget | None = None

    def __repr__(self) -> str:
        return f"<Study: {self.in_short}>"

    @property
    def in_short(self) -> str:
        """The pairs, and the numbers of arms, sizes and seeds, in one line."""
        return study_in_short(
            [(pretrain.name, finetune.name) for pretrain, finetune in self.pairs],
            len(self.arms),
            len(self.samples_per_class),
            self.seeds,
        )

    def cells(self) -> list[Cell]:
        """Every cell of the study, seed by seed, so that each seed's comparison is whole early."""
        return list(self._cells())

    @property
    def size(self) -> int:
        """The number of cells, without making them; with a search, at most."""
        places = len(self.pairs) * len(self._curves) * len(self.all_budgets)
        cells = self.seeds * places * len(self.readings)
        if self.search is None:
            return cells
        trials = sum(self.search.most_trainings(readout) for readout, _ in self.readings)
        return 2 * cells + places * trials * (self.seeds if self.search.within else 1)

    def _cells(self) -> Iterator[Cell]:
        curves, budgets, readings = self._curves, self.all_budgets, self.readings
        for seed in range(self.seeds):
            for pretrain, finetune in self.pairs:
                for arm, size in curves:
                    for budget in budgets:
                        for readout, finetune_size in readings:
                            yield Cell(
                                *(pretrain, finetune, self.backbone, arm, size, seed, budget),
                                readout=readout,
                                finetune_size=finetune_size,
                            )

    @property
    def judged_on_finetuning_data(self) -> bool:
        """True if some readout is fitted to D_F."""
        return any(READOUTS[name].on_finetuning_data for name in self.readouts)

    @property
    def readings(self) -> list[tuple[str, int | None]]:
        """Each readout with each number of finetuning images, None where there is but one."""
        sizes = self.finetune_sizes or (None,)
        return [
            (name, size)
            for name in self.readouts
            for size in (sizes if READOUTS[name].on_finetuning_data else (None,))
        ]

    @property
    def _curves(self) -> list[tuple[Arm, int | None]]:
        """The arms and sizes of one seed of one pair."""
        wanted: list[tuple[Arm, int | None]] = [
            (arm, size) for arm in self.arms for size in self.samples_per_class
        ]
        if self.baseline is not None:
            extra = [size for size in self.ruler_sizes if size not in self.samples_per_class]
            wanted += [(self.baseline, size) for size in extra]
            if self.references:
                wanted += [(self.baseline, one.samples_per_class) for one in REFERENCES]
        return wanted

    @property
    def all_budgets(self) -> tuple[Budget, ...]:
        """The budgets, the shortest first: those that were named, or the settings'."""
        return self.budgets or (Budget(self.settings.pretrain_steps),)

    @property
    def judged_by(self) -> Budget:
        """The budget of the primary condition: the one that was named, or the longest."""
        return self.primary_budget or self.all_budgets[-1]

    @cached_property
    def shown(self) -> dict[str, str]:
        """The label of each arm as tables print it: in a grid, every value is told."""
        labels = shown_labels([(arm.label, arm.pipeline) for arm in self.arms])
        return dict(zip((arm.label for arm in self.arms), labels, strict=True))

    @property
    def largest_finetune_size(self) -> int | None:
        """The number of finetuning images of each class that reports are about first.

        None where there is but one, or where the first readout is not fitted to any.
        """
        fitted = READOUTS[self.readouts[0]].on_finetuning_data
        return max(self.finetune_sizes, default=None) if fitted else None

    def to_json(self) -> dict[str, Any]:
        """A description for the store and for reports."""
        description = {
            "protocol": PROTOCOL_VERSION,
            "pairs": [[pretrain.name, finetune.name] for pretrain, finetune in self.pairs],
            "datasets": {
                info.name: {
                    "content_hash": info.content_hash,
                    "image_shape": list(info.image_shape),
                    "classes": list(info.classes),
                    "test_size": info.test_size,
                    **({"spec": info.spec} if info.spec else {}),
                }
                for pair in self.pairs
                for info in pair
            },
            "arms": [self._arm(arm) for arm in self.arms],
            "baseline": self.baseline.label if self.baseline else None,
            "backbone": self.backbone.to_json(),
            "samples_per_class": list(self.samples_per_class),
            "ruler_sizes": list(self.ruler_sizes),
            "references": self.references,
            "seeds": self.seeds,
            "settings": self.settings.to_json(self._parts),
            "test_every": self.test_every,
        }
        if self.base is not None:
            description["base"] = self.base.label
        if self.budgets:
            description["budgets"] = [budget.label for budget in self.budgets]
        if self.judged_by != self.all_budgets[-1]:
            description["primary_budget"] = self.judged_by.label
        if self.readouts != (LINEAR.name,):
            description["readouts"] = list(self.readouts)
        if self.search is not None:
            description["tuning"] = self.search.to_json()
        if self.finetune_sizes:
            description["finetune_samples_per_class"] = list(self.finetune_sizes)
        if self.shift:
            description["shift"] = [one.to_json() for one in self.shift]
        return description

    @property
    def _parts(self) -> tuple[str, ...]:
        """The parts of the settings that its cells depend on."""
        return ("pretraining", "finetuning", *self.readouts)

    def _arm(self, arm: Arm) -> dict[str, Any]:
        described: dict[str, Any] = {
            "label": arm.label,
            "shown": self.shown[arm.label],
            "pipeline": arm.pipeline.to_json(),
        }
        if arm.settings != self.settings:
            described["settings"] = arm.settings.differing_from(self.settings, self._parts)
        # Beside several budgets or sizes, an arm's own may be the one of the settings.
        if arm.own_budget and self.budgets:
            described["own_budget"] = True
        if arm.own_finetune_size and self.finetune_sizes:
            described["own_finetune_size"] = True
        if arm.follows_progress:
            described["follows_progress"] = True
        if self.shift:
            described["operations"] = sorted(arm.operations)
        return described


def study_key(description: Mapping[str, Any], keys: Iterable[str]) -> str:
    """What a study is known by: SHA-256 over its description and the keys of its cells.

    Of components only their identities count, so that a release changes no study; of data sets,
    not where they lie.
    """
    reduced = {
        **description,
        "backbone": Component.from_json(description["backbone"]).identity(),
        "arms": [
            {
                "label": arm["label"],
                "pipeline": Pipeline.from_json(arm["pipeline"]).identity(),
                "settings": arm.get("settings", {}),
            }
            for arm in description["arms"]
        ],
    }
    # The same images lie elsewhere on another day.
    reduced["datasets"] = {
        name: {word: value for word, value in told.items() if word != "spec"}
        for name, told in description["datasets"].items()
    }
    if "shift" in description:
        reduced["shift"] = [ShiftTest.from_json(one).metric for one in description["shift"]]
    return digest({"description": reduced, "cells": list(keys)})
