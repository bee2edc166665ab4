"""Short names of data sets, for titles, axes and file names: `photos` for a folder of that name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from augbench.plugins.components import Component
from augbench.text import encodable

__all__ = ["short_name", "short_names"]

_OF_A_SPLIT = frozenset({"train", "test", "val"})


def short_name(path: str, parts: int = 1) -> str:
    """The last parts of a path: the folder's name, with those of the folders that it lies in."""
    whole = Path(os.path.abspath(Path(path).expanduser()))
    if whole.name.lower() in _OF_A_SPLIT:  # says nothing by itself
        parts += 1
    return encodable("/".join(whole.parts[-parts:])) or str(whole)


def short_names(components: Iterable[Component]) -> dict[str, str]:
    """A name of each data set, by its label; no two are equal.

    Folders are called as the folder is; where that leaves two alike, with the folder that it lies
    in, or else by their labels. Other data sets are called by their labels, which are short.
    """
    labels = {one.label: one for one in components}
    folders = {label: _path(one) for label, one in labels.items() if _is_folder(one)}
    for parts in (1, 2):
        names = {
            label: short_name(folders[label], parts) if label in folders else label
            for label in labels
        }
        counts = Counter(names.values())
        if all(counts[name] == 1 for name in names.values()):
            return names
    return {label: label if counts[name] > 1 else name for label, name in names.items()}


def _is_folder(component: Component) -> bool:
    return (component.distribution, component.name) == ("augbench", "folder")


def _path(component: Component) -> str:
    return str(dict(component.parameters)["path"])
