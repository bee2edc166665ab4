"""Load a data set, or recall its `DatasetInfo` without loading any image.

The info is remembered in the cache folder for as long as the files that the factory reads keep
their path, size and time of change. It is a hint: before training, the images are loaded, and
their content hash is compared with the plan's.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from augbench.caching import cache_folder, write_atomically
from augbench.datasets.contract import Dataset, DatasetInfo
from augbench.errors import AugbenchError, ContractError, DatasetError

__all__ = ["inspect", "load", "remembered"]


def load(
    factory: Callable[..., Any],
    name: str,
    root: Path | None,
    download: bool,
    parameters: Mapping[str, Any],
) -> Dataset:
    """Load the data set, under this name, and remember its `DatasetInfo`.

    Raises `DatasetError` with one line for any error inside the factory, and
    `ContractError` if it returns anything but a `Dataset`.
    """
    before = _fingerprint(factory, root, parameters)
    try:
        dataset = factory(root, download=download, **parameters)
    except AugbenchError:
        raise
    except Exception as error:
        raise DatasetError(
            f"data set {name!r} could not be loaded: {type(error).__name__}: {_one_line(error)}"
        ) from error
    if not isinstance(dataset, Dataset):
        raise ContractError(
            f"data set {name!r}: expected its factory to return a Dataset, "
            f"got {type(dataset).__name__}"
        )
    if dataset.name != name:
        dataset = dataclasses.replace(dataset, name=name)
    # A download has changed the files; whatever changes them while they are read must not count.
    after = _fingerprint(factory, root, parameters)
    if after is not None and (before == after or before is None):
        place = _entry(factory, name, root, parameters)
        known = _recall(place, after)
        # Looking for what is doubtful takes a while, and every worker loads the images.
        if known is None or known.content_hash != dataset.content_hash:
            info = dataclasses.asdict(dataset.info)
            info["test_labels"] = base64.b64encode(info["test_labels"]).decode()
            entry = {"fingerprint": after, "info": info}
            write_atomically(place, json.dumps(entry).encode())
    return dataset


def remembered(
    factory: Callable[..., Any], name: str, root: Path | None, parameters: Mapping[str, Any]
) -> DatasetInfo | None:
    """Return the `DatasetInfo` of an earlier load; None if a file has changed since."""
    fingerprint = _fingerprint(factory, root, parameters)
    if fingerprint is None:
        return None
    return _recall(_entry(factory, name, root, parameters), fingerprint)


def inspect(
    factory: Callable[..., Any],
    name: str,
    root: Path | None,
    download: bool,
    parameters: Mapping[str, Any],
) -> DatasetInfo:
    """Return the `DatasetInfo`: remembered if no file has changed, else found by loading."""
    found = remembered(factory, name, root, parameters)
    return found or load(factory, name, root, download, parameters).info


def _recall(path: Path, fingerprint: str) -> DatasetInfo | None:
    """Return the remembered info; None if there is none, or a damaged or foreign one."""
    try:
        entry = json.loads(path.read_bytes())
        if entry["fingerprint"] != fingerprint:
            return None
        info = entry["info"]
        channels, height, width = (int(side) for side in info["image_shape"])
        return DatasetInfo(
            name=str(info["name"]),
            content_hash=str(info["content_hash"]),
            image_shape=(channels, height, width),
            classes=tuple(str(name) for name in info["classes"]),
            train_counts=tuple(int(count) for count in info["train_counts"]),
            test_size=int(info["test_size"]),
            warnings=tuple(str(line) for line in info["warnings"]),
            test_labels=base64.b64decode(info["test_labels"], validate=True),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _entry(
    factory: Callable[..., Any], name: str, root: Path | None, parameters: Mapping[str, Any]
) -> Path:
    """The cache file of one data set as asked for."""
    asked = {
        "name": name,
        "factory": f"{factory.__module__}:{getattr(factory, '__qualname__', '')}",
        "root": None if root is None else str(root.absolute()),
        "parameters": dict(parameters),
    }
    key = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
    return cache_folder() / "info" / f"{key[:32]}.json"


def _fingerprint(
    factory: Callable[..., Any], root: Path | None, parameters: Mapping[str, Any]
) -> str | None:
    """Hash path, size and time of change of all files that the data set depends on.

    The factory's own source is one of them. None if they are not declared, or one is missing.
    """
    files = getattr(factory, "files", None)
    source = getattr(sys.modules.get(factory.__module__), "__file__", None)
    if files is None or source is None:
        return None
    digest = hashlib.sha256()
    try:
        for path in [Path(source), *files(root, **parameters)]:
            stat = path.stat()
            line = f"{path.absolute()}\0{stat.st_size}\0{stat.st_mtime_ns}\n"
            digest.update(line.encode(errors="surrogateescape"))
    except Exception:  # whatever is wrong, loading says it better
        return None
    return digest.hexdigest()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
