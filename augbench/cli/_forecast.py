"""What a study can find and how long it takes, told before it computes."""

from __future__ import annotations

from dataclasses import replace

from augbench.cli._streams import echo
from augbench.forecasting import expected, timed
from augbench.forecasting.duration import missing_cells
from augbench.running.plan import Plan
from augbench.text import shown

__all__ = ["print_expected"]


def print_expected(plan: Plan, *, time_it: bool = False) -> None:
    """Print the forecast of a study; nothing where the store holds all of it.

    With `time_it`, some of its steps are trained first, to tell the time.
    """
    found = expected(plan)
    if time_it and (duration := timed(plan, missing_cells(plan))) is not None:
        found = replace(found, seconds=duration.seconds, basis=duration.basis)
    if found.cells:
        for line in filter(None, (found.warning, *found.lines)):
            echo(shown(line))
