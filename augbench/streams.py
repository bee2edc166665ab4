"""Output that no terminal, pipe or encoding can end: what cannot be written is no reason to stop.

A study that trains for hours may outlive the pipe that it prints into, meet a full disk, or run in
a shell whose encoding has no arrow. The standard streams are made such that nothing of that raises.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
import time
from typing import Any, TextIO

__all__ = ["lost_output", "steady_streams"]

_ERRORS = "augbench-readable"
_INSTEAD = {
    "→": "->",
    "←": "<-",
    "−": "-",
    "–": "-",
    "—": "-",
    "…": "...",
    "•": "*",
    "·": ".",
    "±": "+-",
    "×": "x",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "∞": "inf",
    "Δ": "d",
    "▲": "+",
    "△": "(+)",
    "▼": "-",
    "▽": "(-)",
    "✗": "x",
    "σ": "sigma",
    "α": "alpha",
    "λ": "lambda",
    "²": "^2",
    "₂": "2",
    "’": "'",
    "‘": "'",
    "“": '"',
    "”": '"',
    "\xa0": " ",
    "\u202f": " ",
}
"""What stands for a sign in an encoding without it; any other is written as its escape."""


def _readable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    escape = codecs.getencoder("unicode_escape")
    return "".join(_INSTEAD.get(one) or escape(one)[0].decode() for one in letters), error.end


codecs.register_error(_ERRORS, _readable)


class _Steady(io.FileIO):
    """A file descriptor for writing, which swallows everything once a write has failed."""

    lost: OSError | None = None

    def write(self, data: Any) -> int:
        """Write, or pretend to."""
        try:
            written = super().write(data)
            while written is None:  # a terminal or pipe in non-blocking mode that is full
                time.sleep(0.01)
                written = super().write(data)
            return written
        except OSError as error:
            self.lost = self.lost or error
            # Whatever else writes there, such as processes that are started later, is spared too.
            with contextlib.suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.fileno())
                os.close(nowhere)
            return memoryview(data).nbytes


def steady_streams(*, apart: bool = False) -> None:
    """Make standard output and error such that writing to them never raises.

    With `apart`, what goes to the descriptor of the standard output past `sys.stdout`, as C
    libraries print, goes to the error stream: the output is the program's own.
    """
    # Were one closed, the next file to be opened, such as a store, would take its place.
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            if apart and name == "stdout" and os.name == "posix":
                stream.flush()
                number = os.dup(1)
                os.dup2(2, 1)
            setattr(sys, name, _steady(stream, number))


def _steady(stream: io.TextIOWrapper, number: int) -> TextIO:
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
    if os.name == "nt" and stream.isatty():  # written to by Windows' own functions
        stream.reconfigure(errors=_ERRORS)
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(_Steady(number, "w", closefd=False)),
        encoding=stream.encoding,
        errors=_ERRORS,
        line_buffering=stream.line_buffering or stream.write_through or number == 2,
    )


def lost_output() -> str:
    """Why standard output was lost in part; nothing if it was not, or its reader had enough."""
    stream = sys.stdout
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    lost = raw.lost if isinstance(raw, _Steady) else None
    if lost is None or lost.errno in (errno.EPIPE, errno.EIO):
        return ""
    return lost.strerror or str(lost)
