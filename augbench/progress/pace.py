"""The share of a run that is done, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Pace", "duration"]

_FIRST_ESTIMATE = 1.0
"""Seconds of training before the time left is told."""


class Pace:
    """The steps of a run: those that it has to take, those that it has taken, and how fast.

    Steps are of equal time (`augbench.executors.clock`), those of cells that train included. The
    time before the first of them, in which workers load torch, says nothing of the others.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steps = self._taken = self._ended = 0
        self._began: tuple[float, float] | None = None
        self._last = (0.0, 0.0)  # time and share, when steps were last told of

    def add(self, steps: int) -> None:
        """Take note of steps that are to be taken."""
        self._steps += steps

    def advance(self, steps: int) -> None:
        """Take note of steps that were taken."""
        self._taken += steps
        self._look()

    def end(self, steps: int) -> None:
        """Take note of a cell of so many steps that has ended; it counts whole if it failed."""
        self._ended += steps
        self._look()

    def _look(self) -> None:
        self._last = (self._clock(), self.share)
        if self._began is None:
            self._began = self._last

    @property
    def share(self) -> float:
        """The share that is done, in [0, 1]."""
        return min(1.0, max(self._taken, self._ended) / self._steps) if self._steps else 1.0

    @property
    def seconds_left(self) -> float | None:
        """From the steps since the first ones; None while there are too few to go by."""
        if self._began is None:
            return None
        (since, before), (at, share) = self._began, self._last
        seconds, gained = at - since, share - before
        if seconds < _FIRST_ESTIMATE or gained <= 0:
            return None
        return max(0.0, seconds * (1 - share) / gained - (self._clock() - at))

    @property
    def words(self) -> str:
        """The share and the time left, such as `42 %, 4:18 left`."""
        left = self.seconds_left
        percent = f"{100 * self.share:.0f} %"
        return percent if left is None else f"{percent}, {duration(left)} left"


def duration(seconds: float) -> str:
    """A time as minutes and seconds, `0:42`, or with hours, `1:05:00`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
