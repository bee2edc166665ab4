"""Cells and what they are made of: plain frozen values that can be stored, sent and compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from augbench.augmentations.contract import FROM_NETWORK
from augbench.datasets.contract import DatasetInfo
from augbench.options import Settings
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Pipeline
from augbench.protocol.batches import effective_batch_size
from augbench.protocol.readouts import LINEAR, READOUTS, Readout
from augbench.protocol.recipe import Recipe
from augbench.protocol.references import size_name
from augbench.text import shown

__all__ = [
    "FIRST_TUNING_SEED",
    "PROTOCOL_VERSION",
    "Arm",
    "Budget",
    "Cell",
    "Trial",
    "digest",
    "place_name",
    "study_in_short",
]

PROTOCOL_VERSION = 1
"""Raised whenever the same cell would give other numbers: part of every key."""


FIRST_TUNING_SEED = 2**32
"""The first seed of trials with seeds of their own: beyond every seed that a study may report."""


def place_name(
    pretrain: str, finetune: str, arm: str, samples_per_class: int | None, seed: int
) -> str:
    """A cell's place in its study, in one line; tuning seeds are told from 0."""
    own = seed - FIRST_TUNING_SEED
    told = f"seed {seed}" if own < 0 else f"tuning seed {own}"
    return f"{pretrain}→{finetune} {arm} {size_name(samples_per_class)} {told}"


def study_in_short(pairs: Sequence[tuple[str, str]], arms: int, sizes: int, seeds: int) -> str:
    """The pairs of a study, and the numbers of its arms, sizes and seeds, in one line."""
    told = ", ".join(f"{pretrain} → {finetune}" for pretrain, finetune in pairs[:2])
    more = f" and {len(pairs) - 2} more pairs" if len(pairs) > 2 else ""
    numbers = ((arms, "arm"), (sizes, "size"), (seeds, "seed"))
    counted = " × ".join(f"{n} {noun}{'s' * (n != 1)}" for n, noun in numbers)
    return f"{shown(told)}{more}; {counted}"


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

    def __repr__(self) -> str:
        return f"<Arm {shown(self.label)}: {shown(self.pipeline.label)}, {self.settings}>"

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

    @classmethod
    def from_label(cls, label: str) -> Budget:
        """The budget that a label names, such as `2,000 steps`."""
        amount, unit = label.replace(",", "").split()
        return cls(int(amount), in_epochs=unit.startswith("epoch"))

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

    def in_fold(self, samples_per_class: int) -> int:
        """The images of each class, of so many, that its fold holds out; none without folds."""
        return len(range(self.fold, samples_per_class, self.folds)) if self.folds else 0


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

    def __repr__(self) -> str:
        pair, arm = (self.pretrain.name, self.finetune.name), self.arm.label
        role = "" if self.trial is None else f", trial {self.trial.number + 1}"
        role += "" if self.chosen is None else ", tuned"
        place = place_name(*pair, arm, self.samples_per_class, self.seed)
        return f"<Cell {shown(place)}, {self.readout}{role}>"

    @property
    def fitted_on_images(self) -> bool:
        """True if its readout sees images anew at each step, on a copy of the backbone."""
        linear = self.readout == LINEAR.name and self.settings.finetune_mode == "train"
        return linear or self.readout == "full"

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
        return digest({"pretraining": self._pretraining, "finetuning": finetuning})

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
        return digest(self._pretraining)

    @cached_property
    def path_key(self) -> str:
        """The key of all pretrainings that begin alike, of which the longest serves all.

        Under a constant schedule, and without augmentations that look at the share of training
        that is done, a shorter budget is a prefix of a longer one.
        """
        if self.arm.follows_progress or not _is_constant(self.settings):
            return self.pretrain_key
        return digest({**self._pretraining, "steps": None})

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
        if self.trial is not None:
            size -= self.trial.in_fold(size)
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


def digest(value: dict[str, Any]) -> str:
    """SHA-256 over a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
