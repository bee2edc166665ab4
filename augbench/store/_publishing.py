"""A new store's folder, made beside its place and put there whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from augbench.errors import StoreError
from augbench.options import named
from augbench.store._schema import FILE_NAME, reason

__all__ = ["check_free", "new_store"]


@contextmanager
def new_store(out: Path) -> Iterator[Path]:
    """Yield a folder whose files are moved to `out` at the end of the block, the store last.

    If the block raises, nothing of it is left, and `out` is as it was. Raises `StoreError` if
    `out` cannot be written, or holds a store already.
    """
    check_free(out)
    made: list[Path] = []
    try:
        made = _make_folders(out)
        # Inside `out`, so that files only change their names.
        draft = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=out))
    except OSError as error:
        _remove(made)
        raise StoreError(
            f"cannot write into the folder {str(out)!r} ({reason(error)}); "
            f"name a writable one with {named('out')}"
        ) from error
    try:
        yield draft
        check_free(out)
        files = sorted(draft.iterdir(), key=lambda path: path.name == FILE_NAME)
        for file in files:
            os.replace(file, out / file.name)
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        _remove(made)
        if isinstance(error, OSError):
            raise StoreError(f"cannot write into {str(out)!r} ({reason(error)})") from error
        raise
    draft.rmdir()


def check_free(out: Path) -> None:
    """Raises `StoreError` if a folder holds a store."""
    if (out / FILE_NAME).exists():
        raise StoreError(f"{str(out)!r} holds a store already; name a new folder")


def _make_folders(out: Path) -> list[Path]:
    """Make a folder with its parents; returns those that were not there, the innermost first."""
    missing = [path for path in (out, *out.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir()
    if not out.is_dir():
        raise NotADirectoryError(20, "it is a file")
    return missing


def _remove(folders: list[Path]) -> None:
    """Remove those folders that are empty."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return
