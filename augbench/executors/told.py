"""Tell on the error stream at once, and by whom, all that plugins print in this very process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from augbench.plugins.guard import whose_code
from augbench.text import shown

__all__ = ["prints_are_told"]


class _Told:
    """Stands for a stream: what a plugin's code writes goes to the error stream, line by line."""

    def __init__(self, stream: Any, errors: Any) -> None:
        self._stream, self._errors = stream, errors
        self._line, self._who = "", ""

    def write(self, text: str) -> int:
        """Write a text; a plugin's as soon as its line is whole."""
        who = whose_code()
        if who != self._who:
            self._end_line()
        if not who:
            return int(self._stream.write(text))
        self._who = who
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._tell(line)
        return len(text)

    def flush(self) -> None:
        """Show what there is of a line: a debugger asks on it."""
        if self._line:
            self._errors.write(shown(self._line))
            self._line = ""
        self._errors.flush()
        self._stream.flush()

    def _end_line(self) -> None:
        if self._line:
            self._tell(self._line)
        self._line, self._who = "", ""

    def _tell(self, line: str) -> None:
        self._errors.write(f"{self._who} printed: {shown(line)}\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def prints_are_told() -> Iterator[None]:
    """Within this context, what a plugin prints is told; its code is what a `Guard` guards."""
    before = sys.stdout, sys.stderr
    told = [_Told(stream, sys.stderr) for stream in before]
    sys.stdout, sys.stderr = told
    try:
        yield
    finally:
        for one in told:
            one.write("")
        sys.stdout, sys.stderr = before
