"""The study and its cells: plain frozen values that can be stored, sent and compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from augbench.augmentations.contract import FROM_NETWORK
from augbench.datasets.contract import DatasetInfo
from augbench.options import Options, Settings
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Pipeline, shown_labels
from augbench.protocol.batches import effective_batch_size
from augbench.protocol.recipe import Recipe
from augbench.protocol.references import REFERENCES, size_name

__all__ = [
    "PROTOCOL_VERSION",
    "Arm",
    "Budget",
    "Cell",
    "Settings",
    "Study",
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
    with a budget of its own is trained for as long as its settings say, whatever the study's.
    `needs` are those of its augmentations together, see `augbench.augmentations.contract.NEEDS`:
    known once they have been made, they change no number, only with whom it is trained.
    """

    label: str
    pipeline: Pipeline
    settings: Settings = Settings()
    own_budget: bool = False
    needs: frozenset[str] = frozenset()

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
class Cell:
    """One (D_P, D_F, backbone, arm, s, seed, budget).

    `samples_per_class` is s, or that of a reference: see `augbench.protocol.references`. Without a
    budget, pretraining is as long as the arm's settings say. The name of an arm changes nothing:
    arms of equal pipelines and settings give equal cells.
    """

    pretrain: DatasetInfo
    finetune: DatasetInfo
    backbone: Component
    arm: Arm
    samples_per_class: int | None
    seed: int
    budget: Budget | None = None

    @cached_property
    def settings(self) -> Settings:
        """The settings that it is trained under."""
        own, images = self.arm.settings, self.pretrain_images
        if self.budget is None or self.arm.own_budget or not images:
            return own
        steps = self.budget.steps(images, own.batch_size)
        # Most cells last as their arm's settings say; to look these up costs more than to compare.
        return own if own.pretrain_steps == steps else _lasting(own, steps)

    @property
    def pipeline(self) -> Pipeline:
        """The augmentations of its pretraining."""
        return self.arm.pipeline

    @cached_property
    def key(self) -> str:
        """SHA-256 over all that can change the result; never paths, host, device or order."""
        finetuning = {
            "dataset": self.finetune.content_hash,
            **self.settings.key_parts["finetuning"],
        }
        return _digest({"pretraining": self._pretraining, "finetuning": finetuning})

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
        }

    @property
    def pretrain_images(self) -> int:
        """The number of images that the backbone is pretrained on."""
        if self.samples_per_class is None:
            return sum(self.pretrain.train_counts)
        return self.samples_per_class * len(self.pretrain.classes)

    @property
    def pretrain_steps(self) -> int:
        """Steps of pretraining: none for the floor, which has nothing to train on."""
        return self.settings.pretrain_steps if self.pretrain_images else 0

    @property
    def steps(self) -> int:
        """Steps of pretraining and finetuning together: the unit of progress."""
        return self.pretrain_steps + self.settings.finetune_steps


# Both are asked for every cell of a study, and there are few answers.
@lru_cache(maxsize=1024)
def _lasting(settings: Settings, steps: int) -> Settings:
    """The settings with so many steps of pretraining."""
    return replace(settings, pretrain_steps=steps)


@lru_cache(maxsize=1024)
def _is_constant(settings: Settings) -> bool:
    return Recipe.of(settings, "pretraining").is_constant


def _digest(value: dict[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Study:
    """Everything that one run is to answer.

    `settings` are those of arms without settings of their own; without `budgets`, they tell how
    long pretraining lasts. `base` lies under the arms, whose pipelines hold it. `ruler_sizes` are
    further sizes for the baseline alone, against which label multipliers are read; `references`
    adds the floor and the ceiling of every pair and seed.
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

    def cells(self) -> list[Cell]:
        """Every cell of the study, seed by seed, so that each seed's comparison is whole early."""
        return list(self._cells())

    @property
    def size(self) -> int:
        """The number of cells, without making them."""
        return self.seeds * len(self.pairs) * len(self._curves) * len(self.all_budgets)

    def _cells(self) -> Iterator[Cell]:
        curves, budgets = self._curves, self.all_budgets
        for seed in range(self.seeds):
            for pretrain, finetune in self.pairs:
                for arm, size in curves:
                    for budget in budgets:
                        yield Cell(pretrain, finetune, self.backbone, arm, size, seed, budget)

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
            "settings": self.settings.to_json(),
            "test_every": self.test_every,
        }
        if self.base is not None:
            description["base"] = self.base.label
        if self.budgets:
            description["budgets"] = [budget.label for budget in self.budgets]
        return description

    def _arm(self, arm: Arm) -> dict[str, Any]:
        described: dict[str, Any] = {
            "label": arm.label,
            "shown": self.shown[arm.label],
            "pipeline": arm.pipeline.to_json(),
        }
        if arm.settings != self.settings:
            described["settings"] = arm.settings.differing_from(self.settings)
        if arm.follows_progress:
            described["follows_progress"] = True
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
    return _digest({"description": reduced, "cells": list(keys)})
