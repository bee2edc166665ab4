"""Data sets by their components: the registry's factory, with its parameters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from augbench.datasets import _info

if TYPE_CHECKING:
    from augbench.datasets.contract import Dataset, DatasetInfo
    from augbench.plugins.components import Component
    from augbench.plugins.registry import Registry

__all__ = ["data_root", "inspect_dataset", "load_dataset", "remembered_dataset"]


def data_root(given: Path | None) -> Path | None:
    """Return the folder of the data sets: the one given, else the one in AUGBENCH_DATA."""
    named = os.environ.get("AUGBENCH_DATA")
    return given or (Path(named) if named else None)


def load_dataset(
    registry: Registry, component: Component, root: Path | None, *, download: bool = False
) -> Dataset:
    """Load the images; raises `DatasetError`."""
    bound = registry.create(component)
    return _info.load(bound.func, component.label, root, download, bound.keywords)


def inspect_dataset(
    registry: Registry, component: Component, root: Path | None, *, download: bool = False
) -> DatasetInfo:
    """Return the `DatasetInfo` for a plan; images are loaded only if it is not remembered."""
    bound = registry.create(component)
    return _info.inspect(bound.func, component.label, root, download, bound.keywords)


def remembered_dataset(
    registry: Registry, component: Component, root: Path | None
) -> DatasetInfo | None:
    """Return the `DatasetInfo` if an earlier load is remembered; no image is looked at."""
    bound = registry.create(component)
    return _info.remembered(bound.func, component.label, root, bound.keywords)
