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
from augbench.protocol.cell_result import CellResult
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


def failed(cell: Cell, error: Exception, engine: str) -> CellResult:
    """The result of a cell that raised: the error in one line, with its traceback."""
    line = " ".join(str(error).split()) or "no message"
    name = type(error).__name__
    return CellResult(
        key=cell.key,
        engine=engine,
        error=f"{name}: {line}",
        traceback="".join(traceback.format_exception(error)),
    )
