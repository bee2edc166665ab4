"""The contract of an engine: it is given cells and yields their results as they end.

Every engine computes the same numbers from the same streams; `reference.py` says which numbers.
Cells may come in any number and any mixture: a cell's result does not depend on its company, but
for the order in which floats are summed, which layers that torch serves may choose by a pack's
size. A cell that fails yields a result with an error, and the others go on.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from augbench.batching.materials import CellMaterials
from augbench.errors import DivergedError
from augbench.protocol.cell_result import CellResult
from augbench.protocol.metrics import PRIMARY
from augbench.protocol.study import Cell

__all__ = ["Engine", "Progress", "failed"]

Progress = Callable[[int], None]
"""Called with the steps done since the last call: a cell counts `Cell.steps` in all."""


class Engine(Protocol):
    """Trains cells."""

    name: str

    def train(
        self,
        cells: Sequence[Cell],
        materials: CellMaterials,
        *,
        test_every: int,
        progress: Progress,
    ) -> Iterator[CellResult]:
        """Train the cells and yield one result each.

        With `test_every` > 0, each training is also measured on its test set every that many
        steps, which changes no other number.
        """
        ...


def failed(cell: Cell, error: BaseException, engine: str) -> CellResult:
    """The result of a cell that raised: the error in one line, with its traceback.

    A trial that diverged has not failed: its settings are no better than chance, which is what a
    search for good ones must know.
    """
    if cell.trial is not None and isinstance(error, DivergedError):
        chance = 1 / len(cell.judged_on.classes)
        return CellResult(cell.key, {PRIMARY.name: chance, "diverged": 1.0}, engine=engine)
    return CellResult(
        key=cell.key,
        engine=engine,
        error=f"{type(error).__name__}: {_text(error)}",
        traceback=_printable(_traceback(error)),
    )


def _text(error: BaseException) -> str:
    """The message of an error in one line, whatever it is: a plugin's may not even have one."""
    try:
        text = " ".join(str(error).split())
    except Exception as another:
        return f"a message that cannot be made ({type(another).__name__})"
    return _printable(text) or "no message"


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # torch and others print objects whose own printing may fail
        return "".join(traceback.format_tb(error.__traceback__))


def _printable(text: str) -> str:
    """The text without lone surrogates, which neither a file nor a database takes."""
    return text.encode("utf-8", "backslashreplace").decode()
