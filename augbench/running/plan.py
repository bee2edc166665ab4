"""A checked study, ready to be computed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from augbench.datasets.balance import ClassBalance
from augbench.datasets.contract import Dataset, DatasetInfo
from augbench.datasets.named import data_root, load_dataset
from augbench.environment import version_of
from augbench.labels import decode
from augbench.options import Options, at_least
from augbench.plugins.components import Component
from augbench.plugins.registry import Registry
from augbench.protocol.metrics import metric
from augbench.protocol.study import Cell, Study
from augbench.protocol.wanted import Wanted
from augbench.running.effects import unmeasured, without_effect
from augbench.text import shown

__all__ = ["Plan", "specs_of"]


@dataclass(frozen=True)
class Plan:
    """A checked study, ready to be computed.

    `choices` are lines on what was chosen where the user left it open, and on the data that this
    was chosen for; `options` hold the choices. `doubts` are warnings about what data can show.
    """

    options: Options
    registry: Registry
    study: Study
    cells: tuple[Cell, ...]
    datasets: Mapping[str, Component]
    choices: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        warned = f"; {len(self.warnings)} warnings" if self.warnings else ""
        return (
            f"<Plan: {self.study.in_short}; {len(self.cells):,} cells for "
            f"{shown(str(self.options.out))}{warned}>"
        )

    @property
    def wanted(self) -> Wanted:
        """The measurements without which a stored cell counts as missing."""
        needs_predictions = metric(self.options.metric).from_predictions
        return Wanted(
            test_every=self.options.test_every,
            predictions=needs_predictions,
            shift=tuple(one.metric for one in self.study.shift),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """Lines for the user about what may be wrong with the study's data sets or options."""
        infos = (info for pair in self.study.pairs for info in pair)
        told = [line for info in infos for line in info.warnings]
        told += [line for _, finetune in self.study.pairs if (line := _unbalanced(finetune))]
        told += self.study.search.warnings if self.study.search else ()
        told += without_effect(self.options)
        told += unmeasured(self.options, self.cells)
        told += self.doubts
        return tuple(dict.fromkeys(told))

    def load(self, content_hash: str) -> Dataset:
        """Load one of the study's data sets."""
        root = data_root(self.options.data_root)
        return load_dataset(self.registry, self.datasets[content_hash], root)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the study to a file that `Options.from_file` and `augbench run` read.

        It requires the distributions that its arms, backbone and data sets come from, in these
        versions or later ones. Raises `OptionError` for a file that cannot be written, or is there
        already and says otherwise.
        """
        used = [
            *self.datasets.values(),
            self.study.backbone,
            *(one for arm in self.study.arms for one in arm.pipeline.components),
            *(one.component for one in self.study.shift),
        ]
        requires = {"augbench": at_least(version_of("augbench"))}
        for one in sorted(used, key=lambda one: one.distribution):
            if one.version:  # a plugin that is a file, or a module of no distribution, has none
                requires.setdefault(one.distribution, at_least(one.version))
        names = [
            name for spec in self.options.augmentations for name in specs_of(self.registry, spec)
        ]
        replace(self.options, augmentations=names).to_file(path, requires)


def _unbalanced(info: DatasetInfo) -> str:
    """A line on a test set whose classes are unequal, which results are measured on."""
    if not info.test_labels:
        return ""
    labels = decode(info.test_labels, info.test_size, len(info.classes))
    return ClassBalance.of(labels, info.classes).warning(info.name)


def specs_of(registry: Registry, spec: str) -> list[str]:
    """The specs that one stands for: `all` is every augmentation that is installed."""
    if spec == "all":
        return [name for name in registry.names("augmentation") if name != "none"]
    return [spec]
