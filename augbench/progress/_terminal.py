"""Progress on standard error: a bar in a terminal, a few lines in a file."""

from __future__ import annotations

from types import TracebackType

from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from augbench.progress._progress import Progress
from augbench.reports.console import Console

__all__ = ["LinesProgress", "TerminalProgress"]

_STEP = 0.1
"""Share of the work between two lines where no line can be written anew."""


class TerminalProgress(Progress):
    """A bar that is written anew in its line."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(stderr=True)
        self._bar = RichProgress(
            BarColumn(bar_width=24),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
        )

    def draw(self) -> None:
        """Move the bar, or take it away for the closing lines."""
        if self.running:
            if not self._bar.tasks and self.share < 1:
                self._bar.add_task("", total=1.0)
                self._bar.start()
            for task in self._bar.tasks:
                self._bar.update(task.id, completed=self.share, description=self.line)
            return
        self._bar.stop()
        _print_closing(self, self._console)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        super().__exit__(kind, error, trace)


class LinesProgress(Progress):
    """A line at every tenth of the work, at most, and the closing lines."""

    def __init__(self) -> None:
        super().__init__(every=0.0)
        self._console = Console(stderr=True)
        self._told = -1.0

    def draw(self) -> None:
        """Print a line where there is something new to tell."""
        if not self.running:
            _print_closing(self, self._console)
        elif self._told < 0 or self.share - self._told >= _STEP:
            self._told = self.share
            self._console.print(Text(self.line), soft_wrap=True)


def _print_closing(progress: Progress, console: Console) -> None:
    for line in progress.closing_lines:
        console.print(Text(line), soft_wrap=True)
    for line in progress.notes:
        console.print(Text(line, style="dim"), soft_wrap=True)
