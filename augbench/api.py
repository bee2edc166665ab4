"""The public way to run a study: plan it, compute what is missing, read the results.

`plan` turns what a user asked for into a checked study; `execute` computes its missing cells;
`run` does both. None of them imports torch: that happens in the workers, if anything trains.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from augbench.forecasting import expected, power
from augbench.options import Options, filled_from_recipe, takes_options
from augbench.planning import check_machine, plan
from augbench.results import StudyResult
from augbench.running.computing import compute
from augbench.running.observer import Observer
from augbench.running.plan import Plan

__all__ = [
    "Observer",
    "Options",
    "Plan",
    "check_machine",
    "execute",
    "expected",
    "plan",
    "power",
    "run",
]


def execute(plan: Plan, observer: Observer | None = None, *, command: str = "") -> StudyResult:
    """Compute the cells that the store lacks, storing each as it ends; return all results.

    A cell that fails is stored with its error, and the others go on: look at `.failed`. Cells that
    another run on the same store is training are waited for. The store keeps the `command` that
    asked for the study.
    """
    return StudyResult(compute(plan, observer or Observer(), command), metric=plan.options.metric)


@filled_from_recipe
@dataclass(frozen=True)
class _RunOptions(Options):
    """The arguments of `run`: the options of a study, and who watches it."""

    _: KW_ONLY
    observer: Observer | None = None


@takes_options(_RunOptions)
def run(options: _RunOptions) -> StudyResult:
    """Run a study: `augbench.run(["collage", "mixup"], seeds=3, out="results")`.

    Takes the options below one by one, or as one `Options`; single names and sizes may stand for
    themselves, and the names of the command line's flags serve as well (`lr` for `learning_rate`).
    Raises `UsageError` for what cannot be used. Failed cells are in the result's `.failed`.
    """
    return execute(plan(options), options.observer)
