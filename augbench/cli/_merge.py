"""`augbench merge`."""

from __future__ import annotations

from pathlib import Path

import click

from augbench.cli._streams import echo
from augbench.errors import AugbenchError
from augbench.store import merge

__all__ = ["merge_command"]


@click.command("merge")
@click.argument("stores", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder of the new store.",
)
def merge_command(stores: tuple[Path, ...], out: Path) -> None:
    """Join STORES (folders of runs) into a new one.

    A cell that several of them hold is taken from the first; where another disagrees by more than
    rounding explains, it is listed, and the exit code is 1. `augbench run` with the arguments of
    both studies then finds their cells in the new store.
    """
    merged = merge(stores, out)
    studies = "1 study" if merged.studies == 1 else f"{merged.studies} studies"
    echo(f"{merged.cells} cells of {studies} in {out}; {merged.shared} were in more than one store")
    if merged.damaged:
        echo(
            f"warning: left out as damaged: {merged.damaged} cells and studies; "
            "`augbench verify` lists them",
            err=True,
        )
    for conflict in merged.conflicts:
        for metric in conflict.metrics:
            echo(
                f"disagree: {conflict.cell}: {metric.metric} {metric.first:.4f} in "
                f"{conflict.kept_from} (kept), {metric.second:.4f} in {conflict.other}"
            )
    if merged.conflicts:
        raise AugbenchError(
            f"{len(merged.conflicts)} cells disagree by more than rounding explains; the new store "
            "keeps the first of each: look at `augbench compare`"
        )
