"""Data sets by the hash of their content: each node uses its own, or is sent the driver's.

They are looked at in a process of their own, as everything that a plugin does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from augbench.datasets.contract import Dataset
from augbench.datasets.named import inspect_dataset, load_dataset
from augbench.errors import DatasetError
from augbench.executors.isolated import ChildEndedError, Isolated
from augbench.plugins.components import Component
from augbench.plugins.registry import Registry

__all__ = ["driver_dataset", "lacking", "sent", "written"]

_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Place:
    """Where data sets are looked for."""

    plugins: tuple[str, ...]
    root: Path | None


def lacking(place: Place, datasets: Mapping[str, Component]) -> set[str]:
    """The content hashes of those data sets that this machine does not have."""
    found = set[str]()
    with (
        suppress(ChildEndedError),
        Isolated("augbench_ray.datasets:tell_hashes", (place, tuple(datasets.values()))) as child,
    ):
        found.update(child.answers())
    return set(datasets) - found


def driver_dataset(place: Place, component: Component) -> Dataset:
    """The data set itself, loaded in another process; raises `DatasetError`."""
    try:
        with Isolated("augbench_ray.datasets:tell_dataset", (place, component)) as child:
            (dataset,) = child.answers()
    except ChildEndedError as error:
        raise DatasetError(f"data set {component.label!r} could not be loaded: {error}") from error
    assert isinstance(dataset, Dataset)
    return dataset


def tell_hashes(asked: tuple[Place, tuple[Component, ...]], emit: Callable[[str], None]) -> None:
    """Tell the content hashes of those data sets that this machine has."""
    place, components = asked
    registry = Registry.load(place.plugins)
    for component in components:
        with suppress(DatasetError):
            emit(inspect_dataset(registry, component, place.root).content_hash)


def tell_dataset(asked: tuple[Place, Component], emit: Callable[[Dataset], None]) -> None:
    """Load a data set and send it."""
    place, component = asked
    emit(load_dataset(Registry.load(place.plugins), component, place.root))


def written(dataset: Any, path: Path) -> None:
    """Write a data set as a file that `augbench_ray.arrived` reads."""
    arrays = {name: getattr(dataset, name) for name in _ARRAYS}
    with path.open("wb") as file:
        np.savez(file, classes=np.array(dataset.classes, dtype=str), **arrays)


def sent(path: Path, component: Component) -> Component:
    """The component that reads the file in the place of `component`."""
    return Component(
        kind="dataset",
        name="arrived",
        parameters=(("path", str(path)),),
        distribution="augbench-ray",
        label=component.label,
    )
