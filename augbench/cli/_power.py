"""`augbench power`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from augbench.cli._ignored import is_given, refuse_needing
from augbench.cli._shared import given_options, study_options, tell_problems
from augbench.cli._streams import echo
from augbench.errors import UsageError
from augbench.forecasting import power
from augbench.text import shown

__all__ = ["power_command"]


_DATA = (
    *("dataset", "pretrain_datasets", "finetune_datasets"),
    *("data_root", "download", "plugins", "strict_plugins"),
)
"""Options of the planned study: without any beside a pilot, it is as the pilot."""


class _Numbers(click.ParamType):  # type: ignore[type-arg]  # generic in new clicks only
    """Numbers with commas between them."""

    def __init__(self, kind: type[int] | type[float], example: str) -> None:
        self.name, self._kind, self._example = "numbers", kind, example

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        if not isinstance(value, str):
            return value
        try:
            return tuple(self._kind(part) for part in value.split(","))
        except ValueError:
            flag = param.opts[0] if param is not None else "a value"
            raise UsageError(
                f"{flag}: expected numbers with commas between them, such as {self._example}; got "
                f"{value!r}"
            ) from None


@click.command("power")
@click.option(
    "--pilot",
    type=click.Path(path_type=Path),
    help="Folder of a run of 3 seeds or more, whose noise is taken.  [default: typical noise]",
)
@click.option("--study", type=int, help="Number of the pilot's study.  [default: the latest]")
@click.option(
    "--detect",
    type=_Numbers(float, "0.5,1,2"),
    default="1,2,5",
    show_default=True,
    metavar="D[,D…]",
    help="True differences to find, in points of accuracy, or the metric's unit.",
)
@click.option("--arms", type=int, help="Arms beside the baseline.  [default: the pilot's]")
@click.option(
    "--samples-per-class",
    "sizes",
    type=_Numbers(int, "1,8,64"),
    metavar="S[,S…]",
    help="Sizes of the planned study.  [default: the pilot's]",
)
@click.option(
    "--at", "size", type=int, help="Find it at this size alone.  [default: on average over them]"
)
@click.option(
    "--chance",
    type=float,
    default=0.8,
    show_default=True,
    help="With which it is to be found (the power), between 0.05 and 1.",
)
@click.option("--workers", type=int, help="For the time.  [default: the cores of this machine]")
@study_options("metric", help="What differences are of.")
@study_options(*_DATA)
@click.pass_context
def power_command(
    context: click.Context,
    /,
    *,
    pilot: Path | None,
    study: int | None,
    detect: tuple[float, ...],
    arms: int | None,
    sizes: tuple[int, ...] | None,
    size: int | None,
    chance: float,
    workers: int | None,
    metric: str,
    **data: Any,
) -> None:
    """Say how many seeds, cells and hours it takes to find a difference.

    By the noise of a pilot, a small study of the same kind, and by the report's own test. What the
    planned study's data sets are tells how many test images it has.
    """
    if pilot is None:
        refuse_needing("--pilot", ["study", "workers"])
    planned = None
    if pilot is None or any(is_given(context, name) for name in _DATA):
        from augbench.planning import plan

        planned = plan(given_options(context, data))
        tell_problems(planned.registry)
    found = power(
        pilot,
        planned=planned,
        detect=detect,
        arms=arms,
        samples_per_class=sizes,
        size=size,
        chance=chance,
        metric=metric,
        study=study,
        workers=workers,
    )
    for line in found.lines:
        echo(shown(line))
