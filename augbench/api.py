"""The public way to run a study: plan it, compute what is missing, read the results.

`plan` turns what a user asked for into a checked study; `execute` computes its missing cells;
`run` does both. None of them imports torch: that happens in the workers, if anything trains.
"""

from __future__ import annotations

import warnings
from dataclasses import KW_ONLY

from augbench.errors import OptionError, StudyWarning
from augbench.forecasting import expected, power
from augbench.options import Options, filled_from_recipe, option_table, takes_options
from augbench.planning import check_machine, plan
from augbench.progress import progress_here
from augbench.results import StudyResult
from augbench.running.computing import compute
from augbench.running.interrupts import one_interrupt
from augbench.running.observer import Observer
from augbench.running.pictures import Gallery
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


def execute(
    plan: Plan,
    observer: Observer | None = None,
    *,
    command: str = "",
    gallery: Gallery | None = None,
) -> StudyResult:
    """Compute the cells that the store lacks, storing each as it ends; return all results.

    A cell that fails is stored with its error, and the others go on: look at `.failed`. Cells that
    another run on the same store is training are waited for. The store keeps the `command` that
    asked for the study. A `gallery` has its pictures of augmentations made by the first worker that
    is idle.
    """
    with one_interrupt():
        stored = compute(plan, observer or Observer(), command, gallery)
    return StudyResult(stored, metric=plan.options.metric)


@filled_from_recipe
@option_table
class _RunOptions(Options):
    """The arguments of `run`: the options of a study, and who watches it."""

    _: KW_ONLY
    observer: Observer | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.progress is None or isinstance(self.progress, bool)):
            raise OptionError(
                "progress: expected True, False, or None (in Jupyter and in a terminal), got "
                f"{self.progress!r}"
            )
        if self.progress and self.observer is not None:
            raise OptionError("give either progress=True or an observer, not both")


@takes_options(_RunOptions)
def run(options: _RunOptions) -> StudyResult:
    """Run a study: `augbench.run(["collage", "mixup"], seeds=3, out="results")`.

    Takes the options below one by one, or as one `Options`; single names and sizes may stand for
    themselves, and the names of the command line's flags serve as well (`lr` for `learning_rate`).
    Raises `UsageError` for what cannot be used. Failed cells are in the result's `.failed`.

    Progress is shown in Jupyter, and on standard error where that is a terminal; `progress=True`
    shows it anywhere, `progress=False` nowhere, and an `observer` is told instead. What may be
    wrong with the data sets, options or plugins is told as `StudyWarning`s before anything trains;
    what was chosen to fit the data, with the progress.
    What is computed is stored at once: after an interrupt, the same call goes on from there.
    """
    planned = plan(options)
    for line in (*planned.registry.problems, *planned.warnings):
        warnings.warn(line, StudyWarning, stacklevel=3)  # of `run`, its wrapper, the caller
    if options.observer is not None:
        return execute(planned, options.observer)
    with progress_here(options.progress) as observer:
        for line in planned.choices:
            observer.noted(line)
        return execute(planned, observer)
