"""`augbench export`."""

from __future__ import annotations

from pathlib import Path

import click

from augbench.cli._shared import folder_of_run
from augbench.cli._streams import echo, write_text
from augbench.reports.export import FORMATS, export, exported
from augbench.results import StudyResult
from augbench.store import Store

__all__ = ["export_command"]


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@folder_of_run
@click.option("--study", type=int, help="Number of the study.  [default: the latest]")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(FORMATS),
    help="Format of the file.  [default: what its name ends in; csv for -]",
)
def export_command(file: Path, out: Path, study: int | None, file_format: str | None) -> None:
    """Write the cells of a study to FILE: .csv, .json (with training curves) or .parquet.

    FILE may be - for the standard output, in CSV or, with --format json, in JSON. DIR is the folder
    of the run.
    """
    with Store.read(out) as store:
        result = StudyResult(store.study(study))
    if str(file) == "-":
        write_text(exported(result, file_format or "csv"))
        return
    export(result, file, file_format)
    several = len(result.stored.in_store)
    study_of = f" of study {result.stored.id}, of {several} in the store" if several > 1 else ""
    echo(f"wrote {file}: {len(result.cells)} cells{study_of}")
