"""The study and its cells: plain frozen values that can be stored, sent and compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from augbench.datasets.contract import DatasetInfo
from augbench.options import Options, Settings
from augbench.plugins.components import Component
from augbench.protocol.references import REFERENCES, size_name

__all__ = [
    "PROTOCOL_VERSION",
    "Cell",
    "Settings",
    "Study",
    "place_name",
]

PROTOCOL_VERSION = 1
"""Raised whenever the same cell would give other numbers: part of every key."""


def place_name(
    pretrain: str, finetune: str, augmentation: str, samples_per_class: int | None, seed: int
) -> str:
    """A cell's place in its study, in one line."""
    return f"{pretrain}→{finetune} {augmentation} {size_name(samples_per_class)} seed {seed}"


@dataclass(frozen=True)
class Cell:
    """One (D_P, D_F, backbone, augmentation, s, seed) under the settings.

    `samples_per_class` is s, or that of a reference: see `augbench.protocol.references`.
    """

    pretrain: DatasetInfo
    finetune: DatasetInfo
    backbone: Component
    augmentation: Component
    samples_per_class: int | None
    seed: int
    settings: Settings = Settings()

    @cached_property
    def key(self) -> str:
        """SHA-256 over all that can change the result; never paths, host, device or order."""
        finetuning = {
            "dataset": self.finetune.content_hash,
            **self.settings.key_parts["finetuning"],
        }
        return _digest({"pretraining": self._pretraining(), "finetuning": finetuning})

    @cached_property
    def pretrain_key(self) -> str:
        """The key of the pretraining alone, which can serve several finetunings."""
        return _digest(self._pretraining())

    def _pretraining(self) -> dict[str, Any]:
        return {
            "protocol": PROTOCOL_VERSION,
            "seed": self.seed,
            "dataset": self.pretrain.content_hash,
            "backbone": self.backbone.identity(),
            "augmentation": self.augmentation.identity(),
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


def _digest(value: dict[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Study:
    """Everything that one run is to answer.

    `ruler_sizes` are further sizes for the baseline alone, against which label multipliers are
    read; `references` adds the floor and the ceiling of every pair and seed.
    """

    pairs: tuple[tuple[DatasetInfo, DatasetInfo], ...]
    augmentations: tuple[Component, ...]
    backbone: Component
    samples_per_class: tuple[int, ...] = Options.samples_per_class
    seeds: int = Options.seeds
    settings: Settings = Settings()
    baseline: Component | None = None
    ruler_sizes: tuple[int, ...] = ()
    references: bool = False
    test_every: int = 0

    def cells(self) -> list[Cell]:
        """Every cell of the study, seed by seed, so that each seed's comparison is whole early."""
        return list(self._cells())

    def _cells(self) -> Iterator[Cell]:
        for seed in range(self.seeds):
            for pretrain, finetune in self.pairs:
                wanted: list[tuple[Component, int | None]] = [
                    (augmentation, size)
                    for augmentation in self.augmentations
                    for size in self.samples_per_class
                ]
                if self.baseline is not None:
                    extra = [
                        size for size in self.ruler_sizes if size not in self.samples_per_class
                    ]
                    wanted += [(self.baseline, size) for size in extra]
                    if self.references:
                        wanted += [(self.baseline, one.samples_per_class) for one in REFERENCES]
                for augmentation, size in wanted:
                    yield Cell(
                        pretrain, finetune, self.backbone, augmentation, size, seed, self.settings
                    )

    def to_json(self) -> dict[str, Any]:
        """A description for the store and for reports."""
        return {
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
            "augmentations": [_component(item) for item in self.augmentations],
            "baseline": self.baseline.label if self.baseline else None,
            "backbone": _component(self.backbone),
            "samples_per_class": list(self.samples_per_class),
            "ruler_sizes": list(self.ruler_sizes),
            "references": self.references,
            "seeds": self.seeds,
            "settings": self.settings.to_json(),
            "test_every": self.test_every,
        }


def _component(component: Component) -> dict[str, Any]:
    return {"label": component.label, **component.identity()}
