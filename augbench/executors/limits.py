"""Limits on time: a cell that takes for ever ends, and the study goes on.

A pack may take the limit of one cell for each of its cells, one call of a plugin no longer than one
cell. The limit is the user's, or many times what other cells took for their steps. Besides, a
process that for minutes neither does a step nor enters or leaves a plugin's code hangs.
"""

from __future__ import annotations

import time

from augbench.plugins.guard import Place

__all__ = ["Limits", "Watch"]

_LEAST = 300.0
"""Seconds: a limit that was not asked for is no smaller."""

_SILENCE = 900.0
"""Seconds without a sign of life that mean a hang; a large test set takes minutes."""

_LEAST_SILENCE = 60.0
"""Seconds that a process may be silent, however short the limit that was asked for: it may import
torch meanwhile."""

_FACTOR = 50
"""By how much a cell may be slower than the slowest before it: alone, it lacks a pack's speed."""


class Limits:
    """The seconds that a cell may take: `cell_timeout`, or what was learnt from other cells."""

    def __init__(self, cell_timeout: float | None) -> None:
        self._given = cell_timeout
        self._slowest = 0.0  # seconds a step

    def learn(self, seconds: float, steps: int) -> None:
        """Take a cell that ended well."""
        self._slowest = max(self._slowest, seconds / max(1, steps))

    def of_cell(self, steps: int) -> float:
        """The limit of one cell of so many steps; infinite while nothing is known."""
        if self._given is not None:
            return self._given
        learnt = _FACTOR * self._slowest * steps
        return max(_LEAST, learnt) if learnt else float("inf")

    @property
    def silence(self) -> float:
        """The seconds that a process may be silent."""
        return _SILENCE if self._given is None else max(self._given, _LEAST_SILENCE)


class Watch:
    """Watches one process: when it last was seen to live, and since when it is where it is."""

    def __init__(self) -> None:
        self._pack_since = self._seen = self._place_since = time.monotonic()
        self._life = 0
        self._cells = self._steps = 0

    def pack(self, cells: int, most_steps: int) -> None:
        """It begins with a pack of so many cells, the longest of so many steps."""
        self._pack_since = self._seen = self._place_since = time.monotonic()
        self._cells, self._steps = cells, most_steps

    def alive(self) -> None:
        """It has sent something."""
        self._seen = time.monotonic()

    def late(self, limits: Limits, place: Place | None, life: int) -> str:
        """Why it has taken too long, in words; "" if it has not."""
        now = time.monotonic()
        if life != self._life:
            self._life = life
            self._seen = self._place_since = now
        if now - self._seen > limits.silence:
            return f"was stopped after {now - self._seen:.0f} s without a step"
        if not self._cells:
            return ""  # it still starts
        limit = limits.of_cell(self._steps)
        if place is not None and now - self._place_since > limit:
            return f"was stopped after {now - self._place_since:.0f} s"
        if now - self._pack_since > limit * self._cells:
            cells = "one cell" if self._cells == 1 else f"{self._cells} cells"
            return f"was stopped after {now - self._pack_since:.0f} s for {cells}"
        return ""
