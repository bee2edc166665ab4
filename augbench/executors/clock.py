"""Progress of a pack as a fair clock: its steps do not all take the same time."""

from __future__ import annotations

from collections.abc import Sequence

from augbench.protocol.study import Cell
from augbench.training.packs import pretraining_share

__all__ = ["PackClock"]


class PackClock:
    """Turns steps done into steps of equal time: a cell counts `Cell.steps` in all, as before.

    Pretraining comes first. A head that is trained on frozen features takes as many steps as that,
    in a small part of the time: counted as they are, half of a study would seem left when it is
    about to end.
    """

    def __init__(self, pack: Sequence[Cell]) -> None:
        self._steps = sum(cell.steps for cell in pack)
        self._pretraining = sum(cell.pretrain_steps for cell in pack)
        self._turn = float(self._steps)  # where pretraining ends on the clock
        if 0 < self._pretraining < self._steps:
            self._turn *= pretraining_share(pack)
        self._done = self._told = 0

    def advance(self, steps: int) -> int:
        """Take further steps; returns those to report, of equal time."""
        self._done = min(self._done + steps, self._steps)
        if self._done <= self._pretraining:
            at = self._turn * self._done / max(1, self._pretraining)
        else:
            late = (self._done - self._pretraining) / (self._steps - self._pretraining)
            at = self._turn + (self._steps - self._turn) * late
        told, self._told = self._told, round(at)
        return self._told - told
