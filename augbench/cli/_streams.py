"""Output of the command line: steady streams, lines, and the exit code after them."""

from __future__ import annotations

import os
import sys

import click

from augbench.streams import lost_output, steady_streams
from augbench.text import shown

__all__ = [
    "code_after_output",
    "echo",
    "has_working_directory",
    "prepare_streams",
    "write_text",
]


def prepare_streams() -> None:
    """Make output steady, whatever the terminal, its encoding and the environment are."""
    steady_streams(apart=True)
    # A notebook's backend, which its shell hands on, may not exist here; nothing needs one.
    os.environ.pop("MPLBACKEND", None)


def echo(text: object, *, err: bool = False) -> None:
    """Print a line whose names come from outside: none of them moves the cursor."""
    # With a file, click writes to it as it is, and not in UTF-8 where the shell has another.
    click.echo(shown(text), file=sys.stderr if err else sys.stdout)


def write_text(text: str) -> None:
    """Write a text for another program to the standard output: in UTF-8, as a file would hold it.

    A terminal gets it as `echo` prints lines: none of its names moves the cursor.
    """
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None or sys.stdout.isatty():
        for line in text.splitlines():
            echo(line)
        return
    sys.stdout.flush()
    buffer.write(text.encode("utf-8", "backslashreplace"))
    buffer.flush()


def code_after_output(code: int) -> int:
    """The exit code, after all output is written: 1 for 0 where some of it could not be."""
    lost = lost_output()
    if lost and not code:
        echo(
            f"error: the output could not be written ({lost}); what was computed is kept", err=True
        )
        return 1
    return code


def has_working_directory() -> bool:
    """False where the folder in which the command was given has been deleted."""
    try:
        os.getcwd()
    except OSError:
        return False
    return True
