"""The options of a study as options of the command line, for every verb that has some of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from augbench.cli._ignored import GivenOnce
from augbench.cli._streams import echo
from augbench.errors import UsageError
from augbench.options import Option, Options, Problems, grouped, made_from, options_of

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from augbench.plugins.registry import Registry

__all__ = [
    "GroupedCommand",
    "data_options",
    "figure_width_option",
    "folder_of_run",
    "given_options",
    "json_option",
    "out_option",
    "plugin_options",
    "study_options",
    "tell_problems",
    "tell_warnings",
]

_F = TypeVar("_F", bound=Callable[..., Any])


class _Value(click.ParamType):  # type: ignore[type-arg]  # generic in new clicks only
    """Reads and checks a value as its option does, with the option's own message."""

    def __init__(self, option: Option[Any, Any]) -> None:
        self.name = option.name
        self._option = option

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        with _problems(ctx).of():
            if self._option.repeatable:  # click converts the texts one by one
                self._option.check((value,))
                return value
            return (
                self._option.parse(value) if isinstance(value, str) else self._option.check(value)
            )
        return value  # never seen: `_problems` are told before the verb is called

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The values that begin as what is typed."""
        from augbench.cli._completion import completions

        return completions(self._option.name, self._option, incomplete)


def _problems(ctx: click.Context | None) -> Problems:
    """The problems of a command line, which are told together once all of it is read."""
    if ctx is None or not isinstance(ctx.command, TellsTogether):
        return _Told()
    found: Problems = ctx.meta.setdefault("augbench.problems", Problems())
    return found


class _Told(Problems):
    """Problems that are told at once."""

    def add(self, error: UsageError, place: str = "") -> None:
        raise error


class TellsTogether(click.Command):
    """Tells all values that options refuse, and not the first alone."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line; raises what is wrong with any of it."""
        rest = super().parse_args(ctx, args)
        _problems(ctx).tell()
        return rest


class GroupedCommand(TellsTogether):
    """Shows the options of a study under the headings of their table, then the verb's own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        records = {
            param.name: param.get_help_record(ctx)
            for param in self.get_params(ctx)
            if isinstance(param, click.Option)
        }
        for heading, options in grouped(Options).items():
            names = [word for option in options.values() for word in _words(option)]
            rows = [row for row in map(records.pop, names) if row is not None]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
        with formatter.section("What it says and writes"):
            formatter.write_dl([row for row in records.values() if row is not None])


def study_options(*names: str, help: str = "") -> Callable[[_F], _F]:
    """Add the flags of these options of a study, of all by default, in the table's order.

    A value reaches the verb under the option's name in Python, a shorthand under its own. `help`
    replaces the option's.
    """
    table = options_of(Options)

    def decorate(function: _F) -> _F:
        for name in reversed(names or tuple(table)):  # decorators apply from the inside out
            for flag in reversed(_flags(table[name], help or table[name].help)):
                function = flag(function)
        return function

    return decorate


def _flags(option: Option[Any, Any], help: str) -> list[Callable[[_F], _F]]:
    """The decorators that add an option's flag and its shorthands."""
    shorthands = [
        click.option(
            one.flag,
            one.word,
            is_flag=True,
            envvar=option.variable or None,
            help=one.help or help,
        )
        for one in option.shorthands
    ]
    if not option.flags:
        return shorthands
    repeatable = " Repeatable." if option.repeatable else ""
    value = click.option(
        *option.flags,
        option.name,
        cls=click.Option if option.repeatable else GivenOnce,
        type=_Value(option),
        default=option.default,
        multiple=option.repeatable,
        metavar=option.metavar,
        envvar=option.variable or None,
        # Names between commas become several; what is refused was told by then.
        callback=_kept_by(option) if option.repeatable else None,
        help=f"{help}{repeatable}  [{option.about}]",
    )
    return [value, *shorthands]


def _kept_by(option: Option[Any, Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def keep(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        try:
            return option.check(value)
        except UsageError:
            return value  # its type has refused it

    return keep


def _words(option: Option[Any, Any]) -> list[str]:
    """The names under which an option's flags reach a verb."""
    return [*([option.name] if option.flags else []), *(one.word for one in option.shorthands)]


def given_options(
    context: click.Context, values: Mapping[str, Any], file: Path | None = None
) -> Options:
    """The options of a study from what the user gave, which wins over what a `file` says.

    Whatever neither gives has its default.
    """
    given = {
        name: value
        for name, value in values.items()
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    return Options.from_file(file, **given) if file is not None else made_from(Options, given)


def plugin_options(function: _F) -> _F:
    """Add `--plugin` and `--strict-plugins`."""
    return study_options("plugins", "strict_plugins")(function)


def tell_problems(registry: Registry) -> None:
    """Print a warning for each plugin that failed, or whose component lost its name."""
    tell_warnings(registry.problems)


def tell_warnings(lines: Iterable[str]) -> None:
    """Print each line as a warning on the error stream."""
    for line in lines:
        echo(f"warning: {line}", err=True)


def data_options(function: _F) -> _F:
    """Add `--data-root` and `--download`."""
    return study_options("data_root", "download")(function)


full_option = click.option(
    "--full", is_flag=True, help="Say everything: each verdict in words, and the means."
)
"""The option of commands that end with the answer of a study."""

figure_width_option = click.option(
    "--figure-width",
    type=click.Choice(["column", "page"]),
    help="What figures fill in print: one column of two (3.25 inches), or the page (6.75).  "
    "[default: as the figures in the folder do, or the page]",
)
"""The option of commands that draw the figures of a study."""


def out_option(help: str) -> Callable[[_F], _F]:
    """Add `--out`."""
    return study_options("out", help=help)


def folder_of_run(function: _F) -> _F:
    """Add the argument DIR and `--out`, which name the folder of a run; the verb gets `out`.

    The argument comes behind those that the verb has itself. Raises `UsageError` where both name
    different folders.
    """

    @wraps(function)
    def with_folder(*arguments: Any, folders: tuple[Path, ...], out: Path, **values: Any) -> Any:
        if len(folders) > 1:
            told = " ".join(map(str, folders))
            raise UsageError(
                f"expected one folder of a run, got {len(folders)}: {told}; give the command for "
                f"each, or see two side by side: augbench compare {folders[0]} {folders[1]}"
            )
        for folder in folders:
            source = click.get_current_context().get_parameter_source("out")
            if source is ParameterSource.COMMANDLINE and out != folder:
                raise UsageError(
                    f"expected one folder of a run, got two: {str(folder)!r} and --out "
                    f"{str(out)!r}; leave one of them out"
                )
            out = folder
        return function(*arguments, out=out, **values)

    # Any number, so that too many are told in one line.
    folder = click.argument(
        "folders",
        nargs=-1,
        metavar="[DIR]",
        type=click.Path(path_type=Path, file_okay=False),
    )
    named: Any = out_option("Folder of the run; the same as DIR.")(with_folder)
    decorated: _F = folder(named)
    return decorated


def json_option(function: _F) -> _F:
    """Add `--json`, under the name `as_json`."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print one JSON object and nothing else: docs/command-line.md.",
    )(function)
