"""Tell what a command line would drop: an option beside another one, or one that is given twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import click
from click.core import ParameterSource

from augbench.cli._streams import echo
from augbench.errors import UsageError

__all__ = ["GivenOnce", "is_given", "refuse_beside", "refuse_needing", "several_datasets"]


def refuse_beside(flag: str, why: str, names: Iterable[str]) -> None:
    """Raise `UsageError` where the command line has one of these options of the current verb.

    `why` says what keeps them from doing anything beside `flag`.
    """
    given = [found for name in names if (found := _given_flag(name))]
    if given:
        raise UsageError(
            f"{flag} {why}, so that {' and '.join(given)} would do nothing: leave out "
            f"{' and '.join(given)}, or {flag}"
        )


def refuse_needing(flag: str, names: Iterable[str]) -> None:
    """Raise `UsageError` where the command line has one of these options, and lacks `flag`."""
    given = [found for name in names if (found := _given_flag(name))]
    if given:
        told = " and ".join(given)
        raise UsageError(
            f"{told} would do nothing without {flag}: leave out {told}, or give {flag}"
        )


def is_given(context: click.Context, name: str) -> bool:
    """True for an option that stands in the command line."""
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _given_flag(name: str) -> str:
    """The flag of an option that stands in the command line; "" if it does not."""
    context = click.get_current_context()
    if not is_given(context, name):
        return ""
    (option,) = [one for one in context.command.params if one.name == name]
    off = option.secondary_opts and context.params[name] is False
    return max(option.secondary_opts if off else option.opts, key=len)


class GivenOnce(click.Option):
    """An option of one text, of which the last counts: a warning tells which others are lost.

    With a tuple as its default, the text may hold several values between commas. Of the data sets
    of a run, whose user wants them all, a second one is refused.
    """

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Have the parser keep every text."""
        parser.add_option(obj=self, opts=self.opts, dest=self.name, action="append", nargs=1)

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> Any:
        """The text, and where it came from; raises `UsageError` for several data sets."""
        name = self.name or ""
        texts = opts.get(name)
        if isinstance(texts, list):
            opts = {**opts, name: texts[-1]}
            if len(set(texts)) > 1 and not ctx.resilient_parsing:
                self._tell(texts, ctx.command.name)
        return super().consume_value(ctx, opts)

    def _tell(self, texts: list[str], verb: str | None) -> None:
        flag = max(self.opts, key=len)
        told = f"{flag} is given more than once, as {' and '.join(texts)}"
        if self.name == "dataset" and verb == "run":
            raise UsageError(f"{told}: {several_datasets(texts)}")
        several = ""
        if isinstance(self.default, tuple):
            several = f"; several stand between commas, as in {flag} {','.join(texts)}"
        echo(f"warning: {told}: only {texts[-1]} counts{several}", err=True)


def several_datasets(names: Sequence[str]) -> str:
    """The commands that study several data sets."""
    each = " ".join(f"--pre-train-dataset {quote(name)}" for name in names)
    first, folder = quote(names[0]), quote(f"{Path(names[0]).name}-results")
    return (
        f"for one study of all, also across them: augbench run {each}; for a study of each: "
        f"augbench run {first} --out {folder}, and so on"
    )
