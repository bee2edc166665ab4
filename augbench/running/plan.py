"""A checked study, ready to be computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from augbench.datasets.contract import Dataset
from augbench.datasets.named import data_root, load_dataset
from augbench.options import Options
from augbench.plugins.components import Component
from augbench.plugins.registry import Registry
from augbench.protocol.study import Cell, Study

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """A checked study, ready to be computed."""

    options: Options
    registry: Registry
    study: Study
    cells: tuple[Cell, ...]
    datasets: Mapping[str, Component]

    def load(self, content_hash: str) -> Dataset:
        """Load one of the study's data sets."""
        root = data_root(self.options.data_root)
        return load_dataset(self.registry, self.datasets[content_hash], root)
