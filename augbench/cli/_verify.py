"""`augbench verify`."""

from __future__ import annotations

import warnings
from pathlib import Path

import click

from augbench.cli._ignored import refuse_needing
from augbench.cli._shared import folder_of_run, study_options, tell_problems
from augbench.cli._streams import echo
from augbench.errors import AugbenchError, StoreWarning
from augbench.plugins.registry import Registry
from augbench.store import Store, problems, repair

__all__ = ["verify_command"]


@click.command("verify")
@folder_of_run
@click.option(
    "--repair", "mend", is_flag=True, help="Drop what is damaged, after a copy beside the store."
)
@click.option(
    "--recompute",
    type=click.IntRange(min=1),
    metavar="K",
    help="Train the packs of K random cells again, and compare.",
)
@click.option("--study", type=int, help="Number of the study for it.  [default: the latest]")
@study_options("plugins", "strict_plugins", "data_root")
def verify_command(
    out: Path,
    mend: bool,
    recompute: int | None,
    study: int | None,
    plugins: tuple[str, ...],
    strict_plugins: bool,
    data_root: Path | None,
) -> None:
    """Look for damage in a store: the file, checksums, metrics against bits of test images.

    Prints each problem in one line; the exit code is 1 if any is left, or if a cell that was
    trained again does not agree.
    """
    if recompute is None:
        refuse_needing("--recompute", ["study", "plugins", "strict_plugins", "data_root"])
    _look(out, mend)
    if recompute is not None:
        registry = Registry.load(plugins, strict=strict_plugins)
        tell_problems(registry)
        _compare(out, study, recompute, registry, data_root)


def _look(out: Path, mend: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)  # each problem is told below
        with Store.read(out) as store:
            found = problems(store)
            folder = store.path.parent
            with store.connection() as connection:
                (cells,) = connection.execute("SELECT count(*) FROM cells").fetchone()
                (studies,) = connection.execute("SELECT count(*) FROM studies").fetchone()
    for one in found:
        echo(f"damaged: {one.text}")
    if found and mend:
        with Store.open(folder) as store:
            dropped, copy = repair(store)
        echo(
            f"dropped {len(dropped)} rows; the store as it was is in {copy}; "
            "`augbench run` computes their cells anew"
        )
        return
    echo(f"looked at {_count(cells, 'cell')} of {_count(studies, 'study')}")
    if found:
        raise AugbenchError(
            f"{_count(len(found), 'problem')} in {str(out)!r}: `augbench run` computes damaged "
            "cells anew, `augbench verify --repair` drops what is damaged"
        )


def _compare(
    out: Path, study: int | None, amount: int, registry: Registry, root: Path | None
) -> None:
    """Train cells again; a line for each that differs, and one for all."""
    from augbench.verifying import recompute

    found = recompute(out, study, amount, registry, root)
    for place in dict.fromkeys(words for one in found for words in one.elsewhere):
        echo(f"computed with {place}: bits may differ")
    if alone := sum(one.alone for one in found):
        echo(f"{_count(alone, 'cell')} of unknown packs, trained alone: bits may differ")
    for one in found:
        if one.again.error is not None:
            echo(f"failed: {one.cell.place}: {one.again.error}")
        for metric in one.disagreements:
            echo(
                f"disagree: {one.cell.place}: {metric.metric} {metric.first:.4f} in the store, "
                f"{metric.second:.4f} trained again"
            )
    wrong = sum(not one.agrees for one in found)
    same = sum(one.same_bits for one in found)
    echo(
        f"trained {_count(len(found), 'cell')} again, in their packs: "
        f"{len(found) - wrong} agree, {same} to the last bit"
    )
    if wrong:
        raise AugbenchError(
            f"{_count(wrong, 'cell')} trained again did not agree with the store by more than "
            "rounding explains"
        )


def _count(number: int, what: str) -> str:
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number} {what if number == 1 else plural}"
