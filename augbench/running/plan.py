"""A checked study, ready to be computed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from augbench.datasets.contract import Dataset
from augbench.datasets.named import data_root, load_dataset
from augbench.environment import version_of
from augbench.options import Options, at_least
from augbench.plugins.components import Component
from augbench.plugins.registry import Registry
from augbench.protocol.study import Cell, Study

__all__ = ["Plan", "specs_of"]


@dataclass(frozen=True)
class Plan:
    """A checked study, ready to be computed."""

    options: Options
    registry: Registry
    study: Study
    cells: tuple[Cell, ...]
    datasets: Mapping[str, Component]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Lines for the user about what may be wrong with the study's data sets."""
        infos = (info for pair in self.study.pairs for info in pair)
        lines = {line: None for info in infos for line in info.warnings}
        return (*lines, *(self.study.search.warnings if self.study.search else ()))

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
        ]
        requires = {"augbench": at_least(version_of("augbench"))}
        for one in sorted(used, key=lambda one: one.distribution):
            if one.version:  # a plugin that is a file, or a module of no distribution, has none
                requires.setdefault(one.distribution, at_least(one.version))
        names = [
            name for spec in self.options.augmentations for name in specs_of(self.registry, spec)
        ]
        replace(self.options, augmentations=names).to_file(path, requires)


def specs_of(registry: Registry, spec: str) -> list[str]:
    """The specs that one stands for: `all` is every augmentation that is installed."""
    if spec == "all":
        return [name for name in registry.names("augmentation") if name != "none"]
    return [spec]
