"""Prints of plugins in workers: kept in a file beside the store, told in a few words at the end."""

from __future__ import annotations

import contextlib
from pathlib import Path

from augbench.plugins.printing import Printed
from augbench.running.observer import Observer
from augbench.text import cut, encodable

__all__ = ["FILE_NAME", "PrintLog"]

FILE_NAME = "printed.txt"
"""The file in the folder of a run."""

_NAMED = 3
"""Origins that are named, each in a line; of more, the number."""
_LONGEST = 80
"""Letters of the line that is told."""


class PrintLog:
    """Takes what was printed, as it comes."""

    def __init__(self, folder: Path, observer: Observer) -> None:
        self._path, self._observer = folder / FILE_NAME, observer
        self._first: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._written = False

    def take(self, printed: Printed) -> None:
        """Write the lines, and show them to who is curious."""
        who = printed.who or "a worker process"
        self._counts[who] = self._counts.get(who, 0) + printed.count
        lines = [f"{who} printed: {line}" for line in printed.lines]
        if printed.lines:
            self._first.setdefault(who, printed.lines[0])
        if left := printed.count - len(printed.lines):
            lines.append(f"{who} printed {left:,} more lines")
        for line in lines:
            self._observer.detailed(line)
        with contextlib.suppress(OSError):  # no text is worth a study
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(f"{encodable(line)}\n" for line in lines)
            self._written = True

    def tell(self) -> None:
        """Say in a few lines what there was."""
        where = f", all in {self._path}" if self._written else ""
        for who in list(self._counts)[:_NAMED]:
            count = self._counts[who]
            lines = f"{count:,} lines" if count > 1 else "a line"
            first = cut(self._first.get(who, ""), _LONGEST)
            self._observer.noted(f"{who} printed {lines}{where}; the first: {first}")
        if more := list(self._counts.values())[_NAMED:]:
            self._observer.noted(f"{len(more)} others printed {sum(more):,} lines{where}")
