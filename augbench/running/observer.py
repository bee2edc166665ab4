"""An observer of a study that is being computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from augbench.protocol.cell_result import CellResult
from augbench.protocol.study import Cell
from augbench.running.plan import Plan

__all__ = ["Observer"]


class Observer:
    """Watches a study being computed; every method does nothing unless overridden."""

    def planned(self, plan: Plan, stored: Mapping[str, float]) -> None:
        """Called with the plan, and the accuracies of stored cells by their keys."""

    def chosen(self, cells: Sequence[Cell], stored: Mapping[str, float]) -> None:
        """Called once trials have chosen, with the cells of what they chose.

        `stored` are the accuracies of those that are in the store, by their keys.
        """

    def started(self, device: str) -> None:
        """Called when a worker is ready, on this device."""

    def progressed(self, steps: int) -> None:
        """Called with the number of steps done since the last call."""

    def finished(self, cell: Cell, result: CellResult) -> None:
        """Called when a cell has ended, here or in another run that shares the store."""

    def waiting(self, text: str) -> None:
        """Called with a line while there is nothing to do here but to wait."""

    def noted(self, text: str) -> None:
        """Called with a line for the user, such as what is not tried again."""

    def detailed(self, text: str) -> None:
        """Called with a line for the curious, such as how fast packs were trained."""
