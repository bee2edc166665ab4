"""`augbench report`."""

from __future__ import annotations

from pathlib import Path

import click

from augbench.cli._shared import out_option
from augbench.results import StudyResult
from augbench.store import Store

__all__ = ["report_command"]


@click.command("report")
@out_option("Folder of the run.")
@click.option("--study", type=int, help="Number of the study.  [default: the latest]")
@click.option("--no-figures", is_flag=True, help="Print the tables only.")
@click.option("--plot-train-curves", is_flag=True, help="Draw the training curves of every cell.")
def report_command(out: Path, study: int | None, no_figures: bool, plot_train_curves: bool) -> None:
    """Draw the tables and figures of a study again, from its store, without training."""
    with Store.read(out) as store:
        result = StudyResult(store.study(study))

    from augbench.reports.terminal import print_results

    print_results(result)
    if no_figures:
        return

    from augbench.reports.figures import save_figures

    for path in save_figures(result, out, train_curves=plot_train_curves):
        click.echo(f"drew {path}")
