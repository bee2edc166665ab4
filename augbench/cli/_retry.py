"""`augbench retry`."""

from __future__ import annotations

from pathlib import Path

import click

from augbench.cli._shared import folder_of_run
from augbench.cli._streams import echo
from augbench.errors import UsageError
from augbench.results import StudyResult
from augbench.store import Store

__all__ = ["retry_command"]


@click.command("retry")
@folder_of_run
@click.option("--arm", help="Only cells of this arm, by its label.  [default: of all]")
@click.option("--study", type=int, help="Number of the study.  [default: the latest]")
def retry_command(out: Path, arm: str | None, study: int | None) -> None:
    """Forget that cells of a study crashed or timed out, so that the next run tries them again.

    Cells that failed with an error are tried again by every run as it is.
    """
    with Store.read(out) as store:
        result = StudyResult(store.study(study))
        folder = store.path.parent
    if arm is not None and arm not in result.augmentations:
        raise UsageError(
            f"--arm {arm!r}: no such arm in study {result.stored.id}; "
            f"expected one of {', '.join(result.augmentations)}"
        )
    keys = [cell.key for cell in result.all_cells if arm in (None, cell.augmentation)]
    with Store.open(folder) as store:
        forgotten = store.forget_failures(keys)
    if not forgotten:
        echo("no cell crashed or timed out: nothing to try again")
        return
    cells = "1 cell is" if forgotten == 1 else f"{forgotten} cells are"
    echo(f"{cells} tried again by the next run: {result.stored.command or 'augbench run'}")
