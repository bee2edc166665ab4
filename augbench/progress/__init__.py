"""The progress of a study that Python runs: in Jupyter, in a terminal, in a few lines, or not."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext

from augbench.progress._jupyter import JupyterProgress, in_jupyter
from augbench.progress._progress import Progress
from augbench.progress._terminal import LinesProgress, TerminalProgress
from augbench.running.observer import Observer

__all__ = ["Progress", "progress_here"]


def progress_here(wanted: bool | None = None) -> AbstractContextManager[Observer]:
    """The display that suits where this runs, to be entered while a study is computed.

    None shows progress in Jupyter, and where standard error is a terminal; True shows it anywhere,
    in about a dozen lines where it is neither; False never does.
    """
    terminal = sys.stderr is not None and sys.stderr.isatty()
    if wanted is False or (wanted is None and not terminal and not in_jupyter()):
        return nullcontext(Observer())
    if in_jupyter():
        return JupyterProgress()
    return TerminalProgress() if terminal else LinesProgress()
