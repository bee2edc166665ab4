"""Look at a data set in a process of its own: it may need torch, and its files may be anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from augbench.datasets.contract import DatasetInfo
from augbench.datasets.named import inspect_dataset, remembered_dataset
from augbench.errors import DatasetError
from augbench.executors.isolated import ChildEndedError, Isolated
from augbench.plugins.components import Component
from augbench.plugins.guard import Guard, Place
from augbench.plugins.registry import Registry

__all__ = ["inspected", "tell_info"]


@dataclass(frozen=True)
class _Asked:
    plugins: tuple[str, ...]
    component: Component
    root: Path | None
    download: bool


def inspected(
    registry: Registry, component: Component, root: Path | None, *, download: bool
) -> DatasetInfo:
    """Return a data set's `DatasetInfo`, from an earlier load or by loading it in a child process.

    Raises `DatasetError`, also where the data set ends that process.
    """
    found = remembered_dataset(registry, component, root)
    if found is not None:
        return found
    asked = _Asked(registry.arguments, component, root, download)
    try:
        with Isolated(
            "augbench.running.inspecting:tell_info", asked, shows_output=download
        ) as child:
            (info,) = child.answers()
    except ChildEndedError as error:
        raise DatasetError(f"data set {component.label!r} could not be loaded: {error}") from error
    assert isinstance(info, DatasetInfo)
    return info


def tell_info(asked: _Asked, emit: Callable[[DatasetInfo], None]) -> None:
    """Load the data set, in the child process."""
    registry = Registry.load(asked.plugins)
    with Guard(Place(f"data set {asked.component.label!r}")):
        emit(inspect_dataset(registry, asked.component, asked.root, download=asked.download))
