"""Progress in Jupyter: one output of a cell that is written anew, without scripts or widgets."""

from __future__ import annotations

import html
import importlib
import sys
from typing import Any

from augbench.progress._progress import Progress

__all__ = ["JupyterProgress", "in_jupyter"]


def in_jupyter() -> bool:
    """True in a kernel, whose frontend shows HTML: JupyterLab, VS Code, Colab and their kin."""
    ipython = sys.modules.get("IPython")  # never imported here: a kernel has it
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class JupyterProgress(Progress):
    """A bar and a line in the output of the running cell, then its closing lines."""

    def __init__(self) -> None:
        super().__init__()
        self._handle: Any = None

    def draw(self) -> None:
        """Write the output, or write it anew."""
        display = importlib.import_module("IPython.display").display  # no dependency of ours

        data = {"text/plain": self._text(), "text/html": self._html()}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)

    def _text(self) -> str:
        return self.line if self.running else "\n".join((*self.closing_lines, *self.notes))

    def _html(self) -> str:
        if self.running:
            bar = f'<progress value="{self.share:.4f}" max="1" style="width: 16em"></progress>'
            return f"<div>{bar} {html.escape(self.line)}</div>"
        lines = "<br>".join(map(html.escape, self.closing_lines))
        if not self.notes:
            return f"<div>{lines}</div>"
        notes = "<br>".join(map(html.escape, self.notes))
        return (
            f'<details><summary>{lines}</summary><div style="opacity: .75">{notes}</div></details>'
        )
