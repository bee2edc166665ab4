"""Folders, there already or not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from augbench.options.option import Given, Kept, Option

__all__ = ["Folder", "OptionalFolder"]


class _AnyFolder(Option[Given, Kept]):
    """Paths of folders, there already or not."""

    metavar = "FOLDER"

    @property
    def expected(self) -> str:
        return "a folder"

    def read(self, value: Any) -> Any:
        if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
            self.refuse(value)
        try:
            path = Path(value)
            is_file = path.is_file()
        except (OSError, TypeError, ValueError):  # of bytes, too long, or with a zero byte
            self.refuse(value)
        if is_file:
            self.refuse(str(path))
        return path


class Folder(_AnyFolder["str | os.PathLike[str]", Path]):
    """A folder."""


class OptionalFolder(_AnyFolder["str | os.PathLike[str] | None", "Path | None"]):
    """A folder, or None for what the environment names."""
