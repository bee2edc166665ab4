"""Progress of a pack as a fair clock: its steps do not all take the same time."""

from __future__ import annotations

from collections.abc import Sequence

from augbench.protocol.study import Cell
from augbench.training.packs import shares_of_work

__all__ = ["PackClock"]


class PackClock:
    """Turns steps done into steps of equal time: a cell counts `Cell.steps` in all, as before.

    Cells are pretrained, then read out, then tested. A head that is trained on frozen features
    takes as many steps as pretraining, in a small part of the time, and a test takes no step:
    counted as they are, half of a study would seem left when it is about to end, and nothing while
    it is tested.
    """

    def __init__(self, pack: Sequence[Cell]) -> None:
        self._steps = sum(cell.steps for cell in pack)  # of cells that have not ended
        self._pretraining = sum(cell.pretrain_steps for cell in pack)
        self._pretrained, self._read = shares_of_work(pack)
        self._done = self._ended = self._told = 0

    def advance(self, steps: int) -> int:
        """Take further steps; returns those to report, of equal time."""
        self._done += steps
        return self._tell()

    def end(self, cell: Cell) -> int:
        """Take the end of a cell; returns the steps to report."""
        self._ended += cell.steps
        self._steps -= cell.steps
        self._pretraining -= cell.pretrain_steps
        return self._tell()

    def _tell(self) -> int:
        done = max(0, min(self._done - self._ended, self._steps))
        reading = self._steps - self._pretraining
        share = self._pretrained * min(1.0, done / max(1, self._pretraining))
        share += self._read * max(0, done - self._pretraining) / max(1, reading)
        told = self._told
        # Where cells train one after the other, the next one begins before its place on the clock.
        self._told = max(told, self._ended + int(self._steps * share))
        return self._told - told
