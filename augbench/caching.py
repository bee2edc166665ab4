"""The user's cache folder: an accelerator only, whose absence or damage changes no result."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import platformdirs

__all__ = ["cache_folder", "write_atomically"]


def cache_folder() -> Path:
    """The folder that `AUGBENCH_CACHE` names, or the platform's own for this user."""
    return Path(os.environ.get("AUGBENCH_CACHE") or platformdirs.user_cache_dir("augbench", False))


def write_atomically(path: Path, data: bytes | memoryview) -> bool:
    """Write a cache file so that a reader sees all of it or nothing; False where it cannot."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        return False
    return True
