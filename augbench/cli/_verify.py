"""`augbench verify`."""

from __future__ import annotations

import warnings
from pathlib import Path

import click

from augbench.cli._shared import out_option
from augbench.errors import AugbenchError, StoreWarning
from augbench.store import Store, problems, repair

__all__ = ["verify_command"]


@click.command("verify")
@out_option("Folder of the run.")
@click.option(
    "--repair", "mend", is_flag=True, help="Drop what is damaged, after a copy beside the store."
)
def verify_command(out: Path, mend: bool) -> None:
    """Look for damage in a store: the file, checksums, metrics against bits of test images.

    Prints each problem in one line; the exit code is 1 if any is left.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)  # each problem is told below
        with Store.read(out) as store:
            found = problems(store)
            folder = store.path.parent
            with store.connection() as connection:
                (cells,) = connection.execute("SELECT count(*) FROM cells").fetchone()
                (studies,) = connection.execute("SELECT count(*) FROM studies").fetchone()
    for one in found:
        click.echo(f"damaged: {one.text}")
    if found and mend:
        with Store.open(folder) as store:
            dropped, copy = repair(store)
        click.echo(
            f"dropped {len(dropped)} rows; the store as it was is in {copy}; "
            "`augbench run` computes their cells anew"
        )
        return
    click.echo(f"looked at {_count(cells, 'cell')} of {_count(studies, 'study')}")
    if found:
        raise AugbenchError(
            f"{_count(len(found), 'problem')} in {str(out)!r}: `augbench run` computes damaged "
            "cells anew, `augbench verify --repair` drops what is damaged"
        )


def _count(number: int, what: str) -> str:
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number} {what if number == 1 else plural}"
