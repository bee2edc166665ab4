"""Paths in a study file: relative to its folder, so that a file means the same from anywhere."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["from_file", "to_file"]

_KEY = r"\s*[^\W\d]\w*\s*="
_FOLDER = re.compile(
    r"(?P<before>(?:augbench:)?folder:(?:(?:.*?,)?\s*path\s*=\s*|(?!" + _KEY + r")))"
    r"(?P<mark>['\"]?)(?P<path>.+?)(?P=mark)(?=," + _KEY + r"|$)",
    re.DOTALL,
)
"""A spec of the data set `folder`: its path may be the first value, without a name, in quotes, and
may hold commas."""

_BARE = re.compile(r"(?P<path>(?:[./~]|[A-Za-z]:[\\/]).*?)(?=:" + _KEY + r"|$)", re.DOTALL)
"""A folder by itself, perhaps with parameters, as in `./photos:size=64`."""


def from_file(option: str, value: Any, folder: Path) -> Any:
    """An option's value with its paths as they are from the working directory."""

    def there(path: str) -> str:
        if path.startswith("~"):
            return str(Path(path).expanduser())
        return os.path.normpath(folder / path)  # an absolute one stays

    return _moved(option, value, there)


def to_file(option: str, value: Any, folder: Path) -> Any:
    """An option's value with its paths as a file in `folder` has them."""

    def here(path: str) -> str:
        if os.path.isabs(path) or path.startswith("~"):
            return path
        try:
            return Path(os.path.relpath(path, folder)).as_posix()
        except ValueError:  # on another drive
            return str(Path(path).resolve())

    return _moved(option, value, here)


def _moved(option: str, value: Any, move: Callable[[str], str]) -> Any:
    if isinstance(value, Path):
        return Path(move(str(value)))
    if option == "plugins":
        return tuple(move(one) if _is_file(one) else one for one in value)
    if option in ("pretrain_datasets", "finetune_datasets"):
        return tuple(_moved_folder(one, move) for one in value)
    if option == "dataset" and value is not None:
        return _moved_folder(value, move)
    return value


def _is_file(plugin: str) -> bool:
    """True for `--plugin FILE`, and not for a module or `no:NAME`."""
    named = plugin.endswith(".py") or "/" in plugin or "\\" in plugin
    return named and not plugin.startswith("no:")


def _moved_folder(spec: str, move: Callable[[str], str]) -> str:
    found = _FOLDER.match(spec)
    if found is None:
        # A folder by itself is told from a name by the sign between folders.
        path = _BARE.match(spec)
        return f"{_with_sign(move(path['path']))}{spec[path.end() :]}" if path else spec
    mark = found["mark"]
    return f"{found['before']}{mark}{move(found['path'])}{mark}{spec[found.end() :]}"


def _with_sign(path: str) -> str:
    """A path that is told from a name: `./photos`, and not `photos`."""
    return path if re.match(r"[./~\\]|[A-Za-z]:", path) else f"./{path}"
