"""The study and its cells: plain frozen values that can be stored, sent and compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from augbench.augmentations.contract import FROM_NETWORK
from augbench.datasets.contract import DatasetInfo
from augbench.options import Options, Settings
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Pipeline, shown_labels
from augbench.protocol.batches import effective_batch_size
from augbench.protocol.readouts import LINEAR, READOUTS, Readout
from augbench.protocol.recipe import Recipe
from augbench.protocol.references import REFERENCES, size_name
from augbench.protocol.shift import ShiftTest

if TYPE_CHECKING:
    from augbench.tuning.search import Search

__all__ = [
    "PROTOCOL_VERSION",
    "Arm",
    "Budget",
    "Cell",
    "Settings",
    "Study",
    "Trial",
    "place_name",
    "study_key",
]

PROTOCOL_VERSION = 1
"""Raised whenever the same cell would give other numbers: part of every key."""


def place_name(
    pretrain: str, finetune: str, arm: str, samples_per_class: int | None, seed: int
) -> str:
    """A cell's place in its study, in one line."""
    return f"{pretrain}→{finetune} {arm} {size_name(samples_per_class)} seed {seed}"


@dataclass(frozen=True)
class Arm:
    """A pipeline of augmentations to compare, and the settings that it is trained under.

    `label` is short and unique in its study; of an arm on a base, it leaves the base out. An arm
    with a budget of its own is trained for as long as its settings say, whatever the study's, and
    one with a number of finetuning images of its own has these at every size of the study.
    `needs` are those of its augmentations together, see `augbench.augmentations.contract.NEEDS`:
    known once they have been made, they change no number, only with whom it is trained. So are
    their `operations`, what they do to an image: only reports of measurements under shift read it.
    """

    label: str
    pipeline: Pipeline
    settings: Settings = Settings()
    own_budget: bool = False
    needs: frozenset[str] = frozenset()
    own_finetune_size: bool = False
    operations: frozenset[str] = frozenset()

    @classmethod
    def of(cls, component: Component, settings: Settings = Settings()) -> Arm:
        """The arm of one augmentation alone."""
        return cls(component.label, Pipeline.of(component), settings)

    @property
    def follows_progress(self) -> bool:
        """True if its augmentations depend on how far pretraining is."""
        return "progress" in self.needs

    @property
    def from_network(self) -> frozenset[str]:
        """The needs that only the network in training can supply."""
        return self.needs & FROM_NETWORK


@dataclass(frozen=True)
class Budget:
    """The length of pretraining: steps, or epochs.

    An epoch is as many steps as batches fit into the set, ⌊s·classes / batch⌋, where a batch is no
    larger than the set.
    """

    amount: int
    in_epochs: bool = False

    @property
    def label(self) -> str:
        """The budget in words."""
        unit = "epoch" if self.in_epochs else "step"
        return f"{self.amount:,} {unit}{'s' * (self.amount != 1)}"

    def steps(self, images: int, batch_size: int) -> int:
        """The steps of a pretraining on so many images."""
        if not self.in_epochs:
            return self.amount
        return self.amount * (images // effective_batch_size(batch_size, images))


@dataclass(frozen=True)
class Trial:
    """The part of a cell that only chooses hyper-parameters: it is measured on validation images.

    `number` tells trials apart, 0 that of the defaults; it changes nothing. A head on D_F is
    measured on `validation_samples_per_class` images of each class of D_F's training set, which lie
    `outside` the first so many pretraining images where D_P is D_F (0 where it is not). The
    pretraining head is measured on `fold` of `folds` parts of the pretraining images, and trained
    on the others.
    """

    number: int
    validation_samples_per_class: int = 0
    outside: int = 0
    fold: int = 0
    folds: int = 0


@dataclass(frozen=True)
class Cell:
    """One (D_P, D_F, backbone, arm, s, seed, budget), and the readout that judges it.

    `samples_per_class` is s, or that of a reference: see `augbench.protocol.references`. Without a
    budget, pretraining is as long as the arm's settings say; without a `finetune_size`, there are
    as many finetuning images of each class as they say. The name of an arm changes nothing: arms
    of equal pipelines and settings give equal cells. `chosen` is the number of the trial by which
    the arm's settings were chosen, None for a cell under the study's own. A cell with a `trial` is
    such a one, and no result.
    """

    pretrain: DatasetInfo
    finetune: DatasetInfo
    backbone: Component
    arm: Arm
    samples_per_class: int | None
    seed: int
    budget: Budget | None = None
    readout: str = LINEAR.name
    finetune_size: int | None = None
    chosen: int | None = None
    trial: Trial | None = None

    @cached_property
    def settings(self) -> Settings:
        """The settings that it is trained under."""
        own, images = self.arm.settings, self.pretrain_images
        steps, size = own.pretrain_steps, own.finetune_samples_per_class
        if self.budget is not None and not self.arm.own_budget and images:
            steps = self.budget.steps(images, own.batch_size)
        if self.finetune_size is not None and not self.arm.own_finetune_size:
            size = self.finetune_size
        # Most cells are as their arm's settings say; to look others up costs more than to compare.
        if (own.pretrain_steps, own.finetune_samples_per_class) == (steps, size):
            return own
        return _at(own, steps, size)

    @property
    def pipeline(self) -> Pipeline:
        """The augmentations of its pretraining."""
        return self.arm.pipeline

    @cached_property
    def key(self) -> str:
        """SHA-256 over all that can change the result; never paths, host, device or order."""
        finetuning = self.judged_by.key_part(self.settings, self.finetune.content_hash)
        if self.trial is not None:
            finetuning |= _validation(self.trial)
        return _digest({"pretraining": self._pretraining, "finetuning": finetuning})

    @property
    def judged_by(self) -> Readout:
        """Its readout."""
        return READOUTS[self.readout]

    @property
    def judged_on(self) -> DatasetInfo:
        """The data set whose images it is measured on."""
        return self.finetune if self.judged_by.on_finetuning_data else self.pretrain

    @cached_property
    def pretrain_key(self) -> str:
        """The key of the pretraining alone, which can serve several finetunings."""
        return _digest(self._pretraining)

    @cached_property
    def path_key(self) -> str:
        """The key of all pretrainings that begin alike, of which the longest serves all.

        Under a constant schedule, and without augmentations that look at the share of training
        that is done, a shorter budget is a prefix of a longer one.
        """
        if self.arm.follows_progress or not _is_constant(self.settings):
            return self.pretrain_key
        return _digest({**self._pretraining, "steps": None})

    @cached_property
    def _pretraining(self) -> dict[str, Any]:
        return {
            "protocol": PROTOCOL_VERSION,
            "seed": self.seed,
            "dataset": self.pretrain.content_hash,
            "backbone": self.backbone.identity(),
            "augmentation": self.pipeline.identity(),
            "samples_per_class": self.samples_per_class,
            **self.settings.key_parts["pretraining"],
            **_without_fold(self.trial),
        }

    @property
    def pretrain_images(self) -> int:
        """The number of images that the backbone is pretrained on."""
        size = self.samples_per_class
        if size is None:
            return sum(self.pretrain.train_counts)
        if self.trial is not None and self.trial.folds:
            size -= len(range(self.trial.fold, size, self.trial.folds))
        return size * len(self.pretrain.classes)

    @property
    def pretrain_steps(self) -> int:
        """Steps of pretraining: none for the floor, which has nothing to train on."""
        return self.settings.pretrain_steps if self.pretrain_images else 0

    @property
    def steps(self) -> int:
        """Steps of pretraining and of its readout together: the unit of progress."""
        return self.pretrain_steps + self.judged_by.steps(self.settings)


# Both are asked for every cell of a study, and there are few answers.
@lru_cache(maxsize=1024)
def _at(settings: Settings, steps: int, finetune_size: int) -> Settings:
    """The settings with so many steps of pretraining, and finetuning images of each class."""
    return replace(settings, pretrain_steps=steps, finetune_samples_per_class=finetune_size)


@lru_cache(maxsize=1024)
def _is_constant(settings: Settings) -> bool:
    return Recipe.of(settings, "pretraining").is_constant


def _validation(trial: Trial) -> dict[str, Any]:
    """The part of a trial's key that tells it from the result of the same training."""
    if trial.folds:
        return {"measured on": "the fold"}
    return {
        "measured on": "validation images",
        "validation_samples_per_class": trial.validation_samples_per_class,
        "outside": trial.outside,
    }


def _without_fold(trial: Trial | None) -> dict[str, Any]:
    return {"without fold": [trial.fold, trial.folds]} if trial and trial.folds else {}


def _digest(value: dict[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Study:
    """Everything that one run is to answer.

    `settings` are those of arms without settings of their own; without `budgets`, they tell how
    long pretraining lasts, and without `finetune_sizes`, how many images of each class a head is
    finetuned on. `base` lies under the arms, whose pipelines hold it. `ruler_sizes` are
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

    def cells(self) -> list[Cell]:
        """Every cell of the study, seed by seed, so that each seed's comparison is whole early."""
        return list(self._cells())

    @property
    def size(self) -> int:
        """The number of cells, without making them; with a search, at most."""
        places = len(self.pairs) * len(self._curves) * len(self.all_budgets) * len(self.readings)
        cells = self.seeds * places
        if self.search is None:
            return cells
        return 2 * cells + places * self.search.trials * (
            self.seeds if self.search.within else self.search.seeds
        )

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
        if arm.follows_progress:
            described["follows_progress"] = True
        if self.shift:
            described["operations"] = sorted(arm.operations)
        return described


def study_key(description: Mapping[str, Any], keys: Iterable[str]) -> str:
    """What a study is known by: SHA-256 over its description and the keys of its cells.

    Of components only their identities count, so that a release changes no study.
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
    if "shift" in description:
        reduced["shift"] = [ShiftTest.from_json(one).metric for one in description["shift"]]
    return _digest({"description": reduced, "cells": list(keys)})
