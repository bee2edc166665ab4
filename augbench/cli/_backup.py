"""`augbench backup`."""

from __future__ import annotations

from pathlib import Path

import click

from augbench.cli._shared import folder_of_run
from augbench.cli._streams import echo
from augbench.store import backup

__all__ = ["backup_command"]


@click.command("backup")
@click.argument("dest", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--slim",
    is_flag=True,
    help="Leave out training curves and the predicted class of each test image: a tenth of the "
    "size, to be committed or sent. Every number of a report stays but those read from them.",
)
@folder_of_run
def backup_command(dest: Path, slim: bool, out: Path) -> None:
    """Copy the store of a run, as it is at one moment, into the new folder DEST.

    Runs may go on meanwhile. The pictures of augmentations and registrations are copied too.
    """
    cells = backup(out, dest, slim=slim)
    echo(f"copied {cells} cells to {dest}")
