"""Output of plugins where nobody looks: caught at the file descriptors, and told by whom it was.

A child process writes its output into a file, C libraries' too. The child reads what is new there
whenever it leaves a plugin's code, so that it knows whose it is; what the last code of a process
that crashes has written is read by its parent.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from augbench.text import shown

__all__ = ["MOST", "Output", "Printed", "line_buffered", "lines_of", "tell"]

MOST = 100
"""Lines of one origin that a process tells; of the others, it tells the number."""
_LARGEST = 1 << 20
"""Bytes after which the file is emptied."""


@dataclass(frozen=True)
class Printed:
    """Output: `who` printed it, in words, "" where that is not known; `lines` are the first ones.

    `count` counts all lines. `end` is the place in the process's file up to which all is told.
    """

    who: str
    lines: tuple[str, ...]
    count: int
    end: int = 0


def tell(printed: Printed, otherwise: str) -> None:
    """Say in one line on the error stream what was printed by `who`, or by `otherwise`."""
    left = printed.count - 1
    more = f" (and {left:,} more line{'s' * (left > 1)})" if left else ""
    first = printed.lines[0] if printed.lines else "…"
    sys.stderr.write(f"{printed.who or otherwise} printed: {first}{more}\n")
    sys.stderr.flush()


class Output:
    """The output of this process, which goes into a file behind a `descriptor`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._end = descriptor, 0
        self._told: dict[str, int] = {}
        self._new: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}

    def collect(self, who: str) -> None:
        """Take what is new as printed by `who`."""
        # Quicker than `fstat`, and what is written goes to the file's end wherever the place is.
        size = os.lseek(self._descriptor, 0, os.SEEK_END)
        if size <= self._end:
            return
        lines = lines_of(_read(self._descriptor, self._end, size))
        self._end = size
        told = self._told.get(who, 0)
        self._new.setdefault(who, []).extend(lines[: max(0, MOST - told)])
        self._counts[who] = self._counts.get(who, 0) + len(lines)
        self._told[who] = told + len(lines)

    def take(self, who: str = "") -> Iterator[Printed]:
        """Yield what was collected, each once, and as by `who` what is not; lines may be open."""
        with contextlib.suppress(OSError, ValueError, AttributeError):  # a plugin may replace them
            sys.stdout.flush()
            sys.stderr.flush()
        self.collect(who)
        if not self._counts:
            return
        counts, new = self._counts, self._new
        self._counts, self._new = {}, {}
        if self._end > _LARGEST:
            os.ftruncate(self._descriptor, 0)
            self._end = 0
        for who, count in counts.items():
            if count:
                yield Printed(who, tuple(new[who]), count, self._end)


def lines_of(data: bytes) -> list[str]:
    """The lines of some output, without empty ones, fit to be shown."""
    text = data.decode("utf-8", "replace").replace("\r", "\n")  # a bar that is drawn anew
    return [shown(line.rstrip()) for line in text.split("\n") if line.strip()]


def _read(descriptor: int, start: int, end: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, end - start, start)
    os.lseek(descriptor, start, os.SEEK_SET)
    return os.read(descriptor, end - start)


def line_buffered() -> None:
    """Have each line of the standard output written at once, as to a terminal, also those from C.

    Of a file, some thousand bytes would be kept, which are lost with the process.
    """
    import ctypes

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
        libc = ctypes.CDLL(None)
        name = "__stdoutp" if sys.platform == "darwin" else "stdout"
        stream = ctypes.c_void_p.in_dll(libc, name)
        libc.setvbuf(stream, None, 1, 0)  # _IOLBF
