"""What a study has done so far, in words; where it is shown is a subclass's."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from augbench.progress.pace import Pace, duration
from augbench.protocol.cell_result import CellResult
from augbench.protocol.study import Cell
from augbench.running.observer import Observer
from augbench.running.plan import Plan
from augbench.text import shown

__all__ = ["Progress"]

_LONGEST_ERROR = 160
_MOST_NOTES = 6


class Progress(Observer, ABC):
    """Counts cells and steps, and calls `draw` at most once in `every` seconds.

    It is a context manager: leaving it draws the closing lines, also when the study was stopped.
    """

    def __init__(self, every: float = 0.5, clock: Callable[[], float] = time.monotonic) -> None:
        self._every, self._clock = every, clock
        self._out = ""
        self._planned = self._stored = 0
        self._to_compute = self._ended = self._failed = 0
        self._pace = Pace(clock)
        self._start = self._drawn = -float("inf")
        self._error = self._waiting = ""
        self._notes: list[str] = []
        self._closing = ""

    @abstractmethod
    def draw(self) -> None:
        """Show the state: `line` while `running`, then `closing_lines` and `notes`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._planned:
            return  # refused before anything was planned: the error says it all
        self._closing = self._last_words(stopped=error is not None)
        self.draw()

    @property
    def running(self) -> bool:
        """True until the study has ended or was stopped."""
        return not self._closing

    @property
    def share(self) -> float:
        """The share of the steps to be trained that are done, in [0, 1].

        Cells that failed, or that another run has trained, count whole.
        """
        return 1.0 if self._ended >= self._to_compute else self._pace.share

    @property
    def seconds_left(self) -> float | None:
        """From the steps since training began; None before there are any to go by."""
        return self._pace.seconds_left

    @property
    def line(self) -> str:
        """The state in one line, such as `42 of 168 cells, 25 %, 0:12 left`."""
        left = self.seconds_left
        parts = [
            f"{self._ended} of {_count(self._to_compute, 'cell')}",
            f"{100 * self.share:.0f} %",
            *([f"{duration(left)} left"] if left is not None else []),
            *([f"{self._failed} failed"] if self._failed else []),
            *([self._waiting] if self._waiting else []),
        ]
        return ", ".join(parts)

    @property
    def closing_lines(self) -> tuple[str, ...]:
        """What was done, and the first failure."""
        return (self._closing, *([f"the first failure: {self._error}"] if self._error else []))

    @property
    def notes(self) -> tuple[str, ...]:
        """How the cells were trained, and what else the run noted: a few lines."""
        more = len(self._notes) - _MOST_NOTES
        return (
            *self._notes[:_MOST_NOTES],
            *([f"and {more} further notes"] if more > 0 else []),
        )

    def planned(self, plan: Plan, stored: Mapping[str, float]) -> None:
        """Count what there is to do, and start the clock."""
        self._start, self._out = self._clock(), shown(str(plan.options.out))
        self._take(plan.cells, stored)

    def chosen(self, cells: Sequence[Cell], stored: Mapping[str, float]) -> None:
        """Count the cells of what the trials have chosen too."""
        self._take(cells, stored)

    def progressed(self, steps: int) -> None:
        """Count steps."""
        self._pace.advance(steps)
        self._draw_if_due()

    def finished(self, cell: Cell, result: CellResult) -> None:
        """Count a cell."""
        self._ended += 1
        self._pace.end(cell.steps)
        self._waiting = ""
        if not result.ok:
            self._failed += 1
            error = " ".join(shown(result.error or "").split())
            cut = f"{error[: _LONGEST_ERROR - 1]}…" if len(error) > _LONGEST_ERROR else error
            self._error = self._error or cut
        self._draw_if_due()

    def waiting(self, text: str) -> None:
        """Tell what is waited for until the next cell ends."""
        self._waiting = shown(text)
        self._draw_if_due()

    def noted(self, text: str) -> None:
        """Keep a line for the end."""
        self._notes.append(shown(text))

    def _take(self, cells: Sequence[Cell], stored: Mapping[str, float]) -> None:
        """Count some cells, and those of them that are to be computed."""
        # Data sets of one content, and arms of one kind, share cells.
        unique = {cell.key: cell for cell in cells}
        missing = [cell for key, cell in unique.items() if key not in stored]
        self._planned += len(unique)
        self._stored += len(unique) - len(missing)
        self._to_compute += len(missing)
        self._pace.add(sum(cell.steps for cell in missing))
        if self._to_compute:
            self._draw_now()

    def _last_words(self, *, stopped: bool) -> str:
        done = self._ended - self._failed
        failed = f", {self._failed} failed (`.failed` of the result)" if self._failed else ""
        if stopped:
            new = f"{_count(done, 'new cell')} {'is' if done == 1 else 'are'} stored"
            return f"stopped: {new} in {self._out}; the same call goes on from there"
        if not self._to_compute:
            return f"{_count(self._planned, 'cell')}, all of them stored in {self._out}"
        took = duration(self._clock() - self._start)
        stored = f", {self._stored} were stored" if self._stored else ""
        return f"{_count(done, 'cell')} computed in {took}{failed}{stored} ({self._out})"

    def _draw_if_due(self) -> None:
        if self._clock() - self._drawn >= self._every:
            self._draw_now()

    def _draw_now(self) -> None:
        self._drawn = self._clock()
        self.draw()


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
