"""The command line: click verbs, each a few lines over the public functions.

A verb's module is imported when the verb is called, so that `augbench --help` answers at once.
"""

from __future__ import annotations

import importlib
import io
import sys

import click

from augbench import __version__
from augbench.cli._streams import (
    code_after_output,
    echo,
    has_working_directory,
    prepare_streams,
)
from augbench.errors import AugbenchError
from augbench.options import Options, options_of, written_as

__all__ = ["cli", "main"]

_VERBS = {
    "run": "Run a study: pretrain, finetune and measure every cell that the store lacks.",
    "report": "Say what a study found: verdict, tables, figures, one page to send; from its store.",
    "export": "Write the cells of a study to a file: CSV, JSON or Parquet.",
    "merge": "Join several stores into a new one.",
    "compare": "Set the studies of two stores side by side.",
    "check": "Check that a plugin keeps its contract, one line a check.",
    "new": "Write a new plugin: a small distribution, or one file.",
    "preview": "Draw what augmentations do: originals above, results below.",
    "list": "List the installed augmentations, backbones or data sets.",
    "plugins": "List the plugins, with their distributions, hooks and status.",
}


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
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="When labels are scarce, which augmentation helps, where, and by how much?",
)
@click.version_option(__version__, prog_name="augbench")
def cli() -> None:
    """The group of all verbs."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0, 1 for failed cells, 2 for what cannot be used."""
    prepare_streams()
    sys.exit(code_after_output(_exit_code_of(arguments)))


def _exit_code_of(arguments: list[str] | None) -> int:
    """The exit code of the command, whose error is printed."""
    if not has_working_directory():  # libraries of torch's do not even load
        echo(_NO_DIRECTORY, err=True)
        return 2
    flags = {name: option.flag for name, option in options_of(Options).items()}
    try:
        with written_as(flags):
            code = cli.main(args=arguments, prog_name="augbench", standalone_mode=False)
    except AugbenchError as error:
        echo(f"error: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        echo(text.getvalue().rstrip("\n"), err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        echo("interrupted", err=True)
        return 130
    except FileNotFoundError:
        if has_working_directory():
            raise
        echo(_NO_DIRECTORY, err=True)
        return 2
    return code if isinstance(code, int) else 0
