"""Data sets that are named by their folder: `photos`, `./photos`, `photos:size=64`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from augbench.errors import DatasetError, OptionError, UnknownNameError
from augbench.options import NO_DATASET
from augbench.plugins.parameters import split
from augbench.plugins.registry import Registry

__all__ = ["OwnFolder", "own_folder"]


@dataclass(frozen=True)
class OwnFolder:
    """A folder that an `option` names by its path, and what is said of it behind a colon."""

    option: str
    path: str
    parameters: Mapping[str, str]


def own_folder(spec: str, option: str, registry: Registry) -> OwnFolder | None:
    """The folder that a spec is the path of; None where it is the name of a data set.

    A name wins over a folder that is called so: `./mnist` means the folder. Raises a `UsageError`
    for what is neither.
    """
    if spec.partition(":")[0].strip() in (*registry.names("dataset"), NO_DATASET):
        return None
    path, text = _parted(spec)
    if not Path(path).expanduser().is_dir():
        try:
            registry.resolve("dataset", spec)  # with its distribution in front, perhaps
        except UnknownNameError as error:
            raise _missing(path, error) from None
        return None
    value, parameters = split(text) if text else (None, {})
    if value is not None or spec.endswith(":"):
        raise OptionError(
            f"data set {spec!r}: expected key=value behind the folder, as in {path}:size=64"
        )
    return OwnFolder(option, os.path.normpath(path), parameters)


def _parted(spec: str) -> tuple[str, str]:
    """A path, and the parameters behind it."""
    if not Path(spec).expanduser().is_dir():
        path, colon, text = spec.rpartition(":")
        if colon and ("=" in text or Path(path).expanduser().is_dir()):
            return path, text
    return spec, ""


def _missing(path: str, error: UnknownNameError) -> UnknownNameError | DatasetError:
    if Path(path).is_file():
        return DatasetError(
            f"{path} is a file: expected a folder with one folder a class; unpack it, if it is an "
            "archive"
        )
    if "/" in path or os.sep in path or path.startswith("~"):
        return DatasetError(
            f"there is no folder {path}; expected one that holds a folder for each class"
        )
    return UnknownNameError(f"{error}; nor is there a folder {path!r}")
