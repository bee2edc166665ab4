"""Tables and verdicts in the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from augbench.protocol.metrics import PRIMARY
from augbench.results import Pair, StudyResult
from augbench.statistics import verdict

__all__ = ["accuracy_table", "print_results"]


def accuracy_table(pair: Pair, sizes: tuple[int, ...]) -> Table:
    """An empty table with a column for each size."""
    table = Table(
        title=f"{PRIMARY.caption}: pretrained on {escape(pair[0])}, finetuned on {escape(pair[1])}",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("samples per class", overflow="fold")
    for size in sizes:
        table.add_column(str(size), justify="right", no_wrap=True)
    return table


def _print_verdict(result: StudyResult, pair: Pair, console: Console, confidence: float) -> None:
    """Say in words what each augmentation does, above the numbers."""
    analysis = result.analysis(pair, confidence=confidence)
    if analysis is None:
        return
    verdicts = verdict(analysis)
    if verdicts:
        console.print(f"[bold]{escape(pair[0])} → {escape(pair[1])}[/bold]")
    for one in verdicts:
        lines = Text("\n".join((one.headline, *one.sentences)))
        lines.stylize("bold", 0, len(one.headline))
        grid = Table.grid(padding=(0, 1))
        grid.add_row("•", lines)  # a grid wraps long lines under their beginning
        console.print(grid)
    for remark in result.remarks(analysis):
        console.print(remark, style="dim", markup=False, highlight=False)


def print_results(
    result: StudyResult, console: Console | None = None, *, confidence: float = 0.95
) -> None:
    """Print the verdict in words, then the table of mean ± interval, per pair."""
    console = console or Console()
    for pair in result.pairs:
        _print_verdict(result, pair, console, confidence)
    rows = {
        (
            (row["pretrain_dataset"], row["finetune_dataset"]),
            row["augmentation"],
            row["samples_per_class"],
        ): row
        for row in result.table(confidence=confidence)
    }
    # Side by side where that fits, else the interval under its mean.
    widest = max(map(len, ("samples per class", *result.augmentations)))
    fits = console.width >= widest + 4 + 15 * len(result.sizes)
    between = " " if fits else "\n"
    for pair in result.pairs:
        table = accuracy_table(pair, result.sizes)
        for label in result.augmentations:
            shown = [rows[pair, label, size] for size in result.sizes]
            table.add_row(
                escape(label), *(_mean_and_interval(row, result.seeds, between) for row in shown)
            )
        console.print(table)
    console.print(
        f"n = {result.seeds} seeds; mean ± {100 * confidence:g} % t interval"
        if result.seeds > 1
        else "n = 1 seed: no interval",
        highlight=False,
    )
    for cell in result.failed:
        console.print(
            f"failed: {cell.place}: {cell.result.error if cell.result else ''}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    if result.missing:
        console.print(f"{len(result.missing)} cells are not computed yet", highlight=False)


def _mean_and_interval(row: Mapping[str, float], seeds: int, between: str) -> str:
    if not row["n"]:
        return "·"
    factor, decimals = PRIMARY.factor, PRIMARY.decimals_of_mean
    text = f"{factor * row['mean']:.{decimals}f}"
    if not math.isnan(row["upper"]):
        text += f"{between}± {factor * (row['upper'] - row['mean']):.{decimals}f}"
    return text + (f"{between}(n={row['n']})" if row["n"] != seeds else "")
