"""Options and parameter types that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["DEFAULT_OUT", "Sizes", "data_options", "out_option", "plugin_options"]

DEFAULT_OUT = Path("augbench-results")

_F = TypeVar("_F", bound=Callable[..., Any])


class Sizes(click.ParamType):  # type: ignore[type-arg]  # generic in new clicks only
    """Comma-separated whole numbers above 0, such as `1,2,4`."""

    name = "sizes"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            sizes = tuple(int(part) for part in value.split(","))
        except ValueError:
            sizes = ()
        if not sizes or min(sizes) < 1:
            self.fail(
                f"expected whole numbers of 1 or more, separated by commas, such as 1,2,4; "
                f"got {value!r}",
                param,
                ctx,
            )
        return sizes


def plugin_options(function: _F) -> _F:
    """Add `--plugin` and `--strict-plugins`."""
    function = click.option(
        "--strict-plugins",
        is_flag=True,
        envvar="AUGBENCH_STRICT_PLUGINS",
        help="Stop at the first plugin that fails to load.",
    )(function)
    return click.option(
        "-p",
        "--plugin",
        "plugins",
        multiple=True,
        metavar="FILE_OR_MODULE",
        help="Load an unpackaged plugin; `no:NAME` leaves an installed one out. Repeatable.",
    )(function)


def data_options(function: _F) -> _F:
    """Add `--data-root` and `--download`."""
    function = click.option(
        "--download", is_flag=True, help="Download a torchvision data set that is not there."
    )(function)
    return click.option(
        "--data-root",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="AUGBENCH_DATA",
        help="Folder of the data sets, in torchvision's layout.",
    )(function)


def out_option(help_text: str) -> Callable[[_F], _F]:
    """Add `--out`."""
    return click.option(
        "-o",
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT_OUT,
        show_default=True,
        help=help_text,
    )
