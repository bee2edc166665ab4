"""A beacon: a few bytes in shared memory that tell a parent where its child process is.

The child writes whose code it enters (`Place`), the parent reads it once the child has died or
hangs. It is a file that both map, so that it costs the child no system call, and outlives it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import tempfile
from pathlib import Path

from augbench.plugins.guard import Place

__all__ = ["Beacon", "Signal"]

_HEAD = struct.Struct("=QI")  # notes so far, length of the last one
_SIZE = 4096


class Beacon:
    """The parent's end."""

    def __init__(self) -> None:
        descriptor, path = tempfile.mkstemp(prefix="augbench-", suffix=".beacon")
        os.truncate(descriptor, _SIZE)
        self.path = path
        self._map = mmap.mmap(descriptor, _SIZE)
        os.close(descriptor)

    @property
    def notes(self) -> int:
        """The number of places that the child has entered and left."""
        return int(_HEAD.unpack_from(self._map)[0])

    @property
    def place(self) -> Place | None:
        """The place of the code that the child is in, or was in last; None in nobody's."""
        _, length = _HEAD.unpack_from(self._map)
        return Place.decoded(self._map[_HEAD.size : _HEAD.size + length]) if length else None

    def close(self) -> None:
        """Forget the child, and remove the file if that has not."""
        self._map.close()
        with contextlib.suppress(OSError):  # on Windows, while the child still maps it
            Path(self.path).unlink(missing_ok=True)


class Signal:
    """The child's end: called with the bytes of each place, b"" for nobody's."""

    def __init__(self, path: str) -> None:
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)
        # Both have it mapped, and need no name any more: one that is killed leaves no file behind.
        with contextlib.suppress(OSError):  # on Windows it stays until the parent closes
            Path(path).unlink()
        self._notes = 0

    def __call__(self, place: bytes) -> None:
        """Tell the place."""
        self._notes += 1
        self._map[_HEAD.size : _HEAD.size + len(place)] = place
        _HEAD.pack_into(self._map, 0, self._notes, len(place))
