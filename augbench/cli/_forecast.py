"""The forecast of a study, told before it computes."""

from __future__ import annotations

from dataclasses import replace

from augbench.forecasting import expected, timed
from augbench.forecasting.duration import missing_cells
from augbench.running.plan import Plan

__all__ = ["expected_lines"]


def expected_lines(plan: Plan, *, time_it: bool = False) -> list[str]:
    """The forecast of a study; nothing where the store holds all of it.

    With `time_it`, some of its steps are trained first, to tell the time.
    """
    found = expected(plan)
    if time_it and (duration := timed(plan, missing_cells(plan))) is not None:
        found = replace(found, seconds=duration.seconds, basis=duration.basis)
    return [line for line in (found.warning, *found.lines) if line] if found.cells else []
