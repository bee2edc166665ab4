"""The user's cache folder: an accelerator only, whose absence or damage changes no result."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from augbench.writing import beside

__all__ = ["cache_folder", "write_atomically"]


def cache_folder() -> Path:
    """The folder that `AUGBENCH_CACHE` names, or the platform's own for this user."""
    return Path(os.environ.get("AUGBENCH_CACHE") or platformdirs.user_cache_dir("augbench", False))


def write_atomically(path: Path, data: bytes | memoryview) -> bool:
    """Write a cache file so that a reader sees all of it or nothing; False where it cannot."""
    try:
        with beside(path) as place:
            place.write_bytes(data)
    except OSError:
        return False
    return True
