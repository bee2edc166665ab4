"""`augbench run`."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from augbench.cli._shared import (
    GroupedCommand,
    given_options,
    study_options,
    tell_problems,
    tell_warnings,
)
from augbench.cli._streams import echo, has_working_directory
from augbench.errors import CellsFailedError
from augbench.text import encodable

__all__ = ["run_command"]


@click.command("run", cls=GroupedCommand)
@study_options()
@click.option("--plot-train-curves", is_flag=True, help="Draw the training curves of every cell.")
@click.option("--plot-augmentations", is_flag=True, help="First draw what the augmentations do.")
@click.option("--dry-run", is_flag=True, help="Show the plan and its size; compute nothing.")
@click.pass_context
def run_command(
    context: click.Context,
    /,
    *,
    plot_train_curves: bool,
    plot_augmentations: bool,
    dry_run: bool,
    **given: Any,
) -> None:
    """Run a study: which augmentation helps at which number of labels?

    Every arm × samples per class × seed × pair of data sets is a cell: the backbone is
    pretrained under the arm's augmentations, frozen, and a linear head finetuned and tested.
    Cells that the store in --out already holds are not computed again.
    """
    options = given_options(context, given)

    from augbench.api import execute, plan
    from augbench.cli._live import Live, print_plan
    from augbench.reports.terminal import print_results

    planned = plan(options)
    out = options.out
    tell_problems(planned.registry)
    tell_warnings(planned.warnings)
    if dry_run:
        print_plan(planned)
        return
    if plot_augmentations:
        from augbench.pictures.drawing import preview

        for dataset in {info.content_hash: info for info, _ in planned.study.pairs}:
            images = planned.load(dataset)
            pipelines = dict.fromkeys(arm.pipeline for arm in planned.study.arms)
            for path in preview(planned.registry, list(pipelines), images, out):
                echo(f"drew {path}")
    with Live() as live:
        result = execute(planned, live, command=encodable(shlex.join(["augbench", *sys.argv[1:]])))
    if not has_working_directory() and out.is_absolute():
        os.chdir(out)  # where there is none, neither torch nor matplotlib can be loaded
    print_results(result)

    from augbench.pictures.archive import pictures_of
    from augbench.pictures.making import keep_pictures
    from augbench.reports.figures import update_figures

    keep_pictures(planned.registry, planned.study, planned.load, out)
    pictures = pictures_of(out, result.stored.description)
    for line in update_figures(result, out, train_curves=plot_train_curves, pictures=pictures):
        echo(line)
    echo(f"for one page to read and send: {_page_hint(out)}")
    if result.failed:
        raise CellsFailedError(
            f"{len(result.failed)} of {len(result.cells)} cells failed, the first with "
            f"{result.failed[0].result.error if result.failed[0].result else 'no result'}; "
            "the others are stored, and running again retries the failed ones"
        )


def _page_hint(out: Path) -> str:
    """The command that makes the HTML report of what was just computed."""
    return shlex.join(["augbench", "report", "--out", str(out), "--html", str(out / "report.html")])
