"""`augbench register`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from augbench.cli._shared import given_options, study_options
from augbench.cli._streams import echo

__all__ = ["register_command"]


@click.command("register")
@click.argument("study", type=click.Path(path_type=Path, dir_okay=False), metavar="STUDY.toml")
@study_options("out", "data_root", "plugins")
@click.pass_context
def register_command(context: click.Context, /, *, study: Path, **given: Any) -> None:
    """Write down what a study will compute and what judges it, before anything is computed.

    The registration is a file in the folder of the study's store: the hash of the study file, every
    planned cell, the primary endpoint, the tests that are corrected together, and the seeds. Commit
    or send it. `augbench report` then says when the study was registered, and lists what departs
    from it.
    """
    options = given_options(context, given, study)

    from augbench.api import plan
    from augbench.registration import register

    made, path = register(plan(options), study)
    echo(f"registered {study} in {path}")
    echo(f"  {len(made.cells):,} cells, {made.seeds} seeds; SHA-256 {made.file_hash}")
    echo(f"  endpoint: {made.endpoint}")
    echo(f"  family: {made.family}; alpha {made.alpha:g}")
