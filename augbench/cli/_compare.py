"""`augbench compare`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import click
from rich.table import Table

from augbench.cli._shared import json_option, study_options
from augbench.cli._streams import write_text
from augbench.protocol.metrics import Metric
from augbench.protocol.metrics import metric as metric_named
from augbench.reports.compare import StoreComparison, compare
from augbench.reports.console import Console, plain
from augbench.reports.objects import comparison_object, json_text
from augbench.results import StudyResult
from augbench.statistics import MeanInterval
from augbench.store import Store

__all__ = ["compare_command"]

_STORE = click.Path(path_type=Path)


@click.command("compare")
@click.argument("first", type=_STORE)
@click.argument("second", type=_STORE)
@click.option("--first-study", type=int, help="Number of a study of FIRST.  [default: the latest]")
@click.option("--second-study", type=int, help="The same of SECOND.  [default: the latest]")
@study_options("metric", help="What is set side by side.")
@json_option
def compare_command(
    first: Path,
    second: Path,
    first_study: int | None,
    second_study: int | None,
    metric: str,
    as_json: bool,
) -> None:
    """Set the studies of two stores side by side: settings, environments, cells, results."""
    results = []
    for folder, number in ((first, first_study), (second, second_study)):
        with Store.read(folder) as store:
            results.append(StudyResult(store.study(number), metric=metric))
    found = compare(*results)
    if as_json:
        content = comparison_object(found, (first, second), results)
        write_text(json_text("compare", content) + "\n")
        return
    _show(found, str(first), str(second), metric_named(metric))


def _show(found: StoreComparison, first: str, second: str, one: Metric) -> None:
    console = Console()
    _print_differences(console, "settings", found.settings, first, second)
    _print_differences(console, "environments", found.environments, first, second)
    console.print(
        f"cells: {found.same_keys} in both, {found.only_first} in {first} only, "
        f"{found.only_second} in {second} only",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    for place, metrics in found.disagree:
        for metric in metrics:
            console.print(
                f"disagree: {place}: {metric.metric} {metric.first:.4f} and {metric.second:.4f}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
    if found.same_keys and not found.disagree:
        console.print("the cells in both agree up to rounding", highlight=False)
    if any(view.words for view in found.views):
        ours, theirs = (view.label for view in found.views)
        told = ours if ours == theirs else f"{ours} in {first}, {theirs} in {second}"
        console.print(f"compared: {told}", markup=False, highlight=False, soft_wrap=True)
    for name in found.unlike:
        console.print(
            f"not compared: {name} has the same name in both and other images",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    for name in found.resplit:
        console.print(
            f"other splits of {name}: each side is tested on images of its own, no seed draws the "
            "same ones in both, and an interval is about seeds, not about which split it is",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    if found.rows:
        _print_rows(console, found, first, second, one)
    else:
        console.print(
            "no pair, augmentation and size was computed in both: nothing to set side by side",
            highlight=False,
        )


def _print_differences(
    console: Console, title: str, rows: Sequence[tuple[str, str, str]], first: str, second: str
) -> None:
    if not rows:
        console.print(f"{title}: the same", highlight=False)
        return
    table = Table(title=f"{title} that differ", title_justify="left", title_style="bold")
    for column in ("", first, second):
        table.add_column(plain(column), overflow="fold")
    for row in rows:
        table.add_row(*map(plain, row))
    console.print(table)


def _print_rows(
    console: Console, found: StoreComparison, first: str, second: str, one: Metric
) -> None:
    seed = "the number of the seed" if found.resplit else "seed"
    table = Table(
        title=f"{one.caption}; difference: second − first, paired by {seed}, 95 % t interval",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("pair, augmentation", overflow="fold")
    for column in ("s", first, second, "difference", "n"):
        table.add_column(plain(column), justify="right", overflow="fold")
    previous = ""
    for row in found.rows:
        name = f"{row.pair[0]} → {row.pair[1]}, {row.augmentation}"
        if row.second_pair != row.pair:
            name += f" (second: {row.second_pair[0]} → {row.second_pair[1]})"
        table.add_row(
            plain(name) if name != previous else "",
            str(row.samples_per_class),
            *(
                f"{one.factor * side.mean:.{one.decimals_of_mean}f}"
                for side in (row.first, row.second)
            ),
            _difference(row.difference, one),
            str(row.difference.n),
        )
        previous = name
    console.print(table)


def _difference(d: MeanInterval, one: Metric) -> str:
    factor, decimals = one.factor, one.decimals
    text = f"{factor * d.mean:+.{decimals}f}"
    return text if math.isnan(d.lower) else f"{text} ± {factor * d.half_width:.{decimals}f}"
