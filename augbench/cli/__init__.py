"""The command line: click verbs, each a few lines over the public functions.

A verb's module is imported when the verb is called, so that `augbench --help` answers at once.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click

from augbench import __version__
from augbench.cli._signals import Stopped, leave, listening
from augbench.cli._streams import (
    code_after_output,
    echo,
    has_working_directory,
    prepare_streams,
)
from augbench.errors import AugbenchError, StoreWarning
from augbench.options import Options, options_of, written_as
from augbench.text import shown

__all__ = ["cli", "main"]

_VERBS = {
    "run": "Run a study: pretrain, finetune and measure every cell that the store lacks.",
    "register": "Write down what a study will compute and what judges it, before it is computed.",
    "report": "Say what a study found: verdict, tables, figures, one page to send; from its store.",
    "power": "Say how many seeds, cells and hours it takes to find a difference.",
    "status": "Say what of a study is done, what failed and why, and what computes where.",
    "retry": "Let the next run try cells again that crashed or timed out.",
    "export": "Write the cells of a study to a file: CSV, JSON or Parquet.",
    "merge": "Join several stores into a new one.",
    "backup": "Copy a store, also one in use, into a new folder.",
    "verify": "Look for damage in a store, row by row; mend it, or train cells again and compare.",
    "compare": "Set the studies of two stores side by side.",
    "check": "Check that a plugin keeps its contract, one line a check.",
    "new": "Write a new plugin: a small distribution, or one file.",
    "preview": "Draw what augmentations do: originals above, results below.",
    "list": "List the installed augmentations, backbones, data sets, executors or corruptions.",
    "plugins": "List the plugins, with their distributions, hooks and status.",
}


_HELP = ["-h", "--help"]

_NO_DIRECTORY = (
    "error: the working directory does not exist any more; change to one that does, and give the "
    "same command there: what is stored elsewhere is kept"
)


class _Verbs(click.Group):
    """Imports a verb's module only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _VERBS:
            return None
        module = importlib.import_module(f"augbench.cli._{name}")
        command: click.Command = getattr(module, f"{name}_command")
        # Also where it is called without this group, as by a test or a documentation tool.
        command.context_settings.setdefault("help_option_names", _HELP)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # From the table above: click's own would import every verb.
        with formatter.section("Commands"):
            formatter.write_dl(list(_VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in _VERBS:
            from difflib import get_close_matches

            close = get_close_matches(args[0], _VERBS, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"no such command {args[0]!r}{hint} (expected one of {', '.join(_VERBS)})")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": _HELP, "max_content_width": 100},
    help="When labels are scarce, which augmentation helps, where, and by how much?",
)
@click.version_option(__version__, prog_name="augbench")
def cli() -> None:
    """The group of all verbs."""


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Print what a store warns of as one line, without the place in the code."""
    usual = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, StoreWarning):
            echo(f"warning: {message}", err=True)
        else:
            usual(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.simplefilter("always", StoreWarning)
        warnings.showwarning = show
        yield


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit.

    The code is 0, 1 for failed cells, 2 for what cannot be used, and 128 + n after a signal.
    """
    prepare_streams()
    sys.exit(code_after_output(_exit_code_of(arguments)))


def _exit_code_of(arguments: list[str] | None) -> int:
    """The exit code of the command, whose error is printed."""
    if not has_working_directory():  # libraries of torch's do not even load
        echo(_NO_DIRECTORY, err=True)
        return 2
    for argument in sys.argv[1:] if arguments is None else arguments:
        try:
            os.fsencode(argument)  # as every name of a file has to be
        except UnicodeEncodeError:
            echo(f"error: {argument!r} is no text: it holds half of a character", err=True)
            return 2
        if "\0" in argument:  # no shell can send it; no file can have it in its name
            echo(f"error: expected arguments without a null character, got {argument!r}", err=True)
            return 2
    flags = {name: option.flag for name, option in options_of(Options).items()}
    try:
        with listening(), written_as(flags), _warnings_as_lines():
            code = cli.main(args=arguments, prog_name="augbench", standalone_mode=False)
    except AugbenchError as error:
        for line in str(error).splitlines() or [""]:  # several problems of a study, a line each
            echo(f"error: {line}", err=True)
        return error.exit_code
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        echo(text.getvalue().rstrip("\n"), err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        stop = error.__cause__ if isinstance(error, click.Abort) else error
        echo(f"stopped by {stop}" if isinstance(stop, Stopped) else "stopped", err=True)
        leave(128 + (stop.number if isinstance(stop, Stopped) else 2))
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            name = shown(str(error.filename)[:80])
            echo(f"error: {name}…: the name is too long for a file or folder", err=True)
            return 2
        if os.environ.get("AUGBENCH_TRACEBACK"):
            raise
        if not has_working_directory():
            echo(_NO_DIRECTORY, err=True)
            return 2
        echo(
            f"error: internal error: {type(error).__name__}: {' '.join(str(error).split())}; this "
            "is a fault of AugBench's, please report it with the traceback that "
            "AUGBENCH_TRACEBACK=1 shows",
            err=True,
        )
        return 70  # as sysexits.h calls it: internal software error
    return code if isinstance(code, int) else 0
