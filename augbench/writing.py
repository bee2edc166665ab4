"""Files that are whole or not there: written beside their place and renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from augbench.errors import StoreError

__all__ = ["Content", "FileNames", "beside", "save"]

Content = str | bytes | memoryview | Callable[[Path], object]


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A new file in the folder of `path`, which takes its place when the block ends.

    Where the block fails, what was at `path` stays, and nothing else is left. The file's mode is
    that of the file which it replaces, or else what the umask says. A link is followed, and a
    device or a pipe is written to as it is. Raises `OSError`, for a path that is a store as well:
    no page, export or picture takes the place of results.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        old = path.stat().st_mode
    except FileNotFoundError:
        old = None
    if old is not None and not stat.S_ISREG(old):
        yield path
        return
    if old is not None and _is_database(path):
        raise FileExistsError(17, "it is a store, whose results would be lost", str(path))
    if old is not None and not os.access(path, os.W_OK):
        raise PermissionError(13, os.strerror(13), str(path))  # a rename would not ask
    suffix = path.suffix if len(path.suffix) < 9 else ""  # the whole name may be as long as can be
    partial = path.with_name(f".augbench-{secrets.token_hex(8)}{suffix}")
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield partial
        if old is not None:
            os.chmod(partial, stat.S_IMODE(old))
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def _is_database(path: Path) -> bool:
    """True for a file of SQLite's, by its first bytes (https://www.sqlite.org/fileformat.html)."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"
    return False


def save(path: Path, content: Content, *, hint: str) -> None:
    """Write a text (UTF-8), bytes, or whatever a function writes to the path that it is given.

    Lone surrogates, which are no characters, are written as escapes. Raises `StoreError`, in one
    line that ends with the `hint` on what to do.
    """
    try:
        with beside(path) as place:
            if callable(content):
                content(place)
            elif isinstance(content, str):
                place.write_bytes(content.encode("utf-8", "backslashreplace"))
            else:
                place.write_bytes(content)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(f"cannot write {str(path)!r} ({reason}); {hint}") from error


class FileNames:
    """The names of files that are written together: two that differ in case only are told apart."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def add(self, name: str) -> str:
        """The name, with a number behind it if the file system may hold it already."""
        number, chosen = 1, name
        while chosen.casefold() in self._taken:
            number += 1
            chosen = f"{name}-{number}"
        self._taken.add(chosen.casefold())
        return chosen
