"""Figures of several panels that share their axes, such as one for each size of interest."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from augbench.plotting import in_column, new_figure, one_line

__all__ = ["amount", "budget_axis", "panels", "panels_of_sizes", "per_row", "sizes_of_interest"]

_MOST = 4


def sizes_of_interest(sizes: Sequence[int], most: int = _MOST) -> tuple[int, ...]:
    """Up to `most` sizes: all, or the ends and some between them, evenly by rank."""
    if len(sizes) <= most:
        return tuple(sizes)
    last = len(sizes) - 1
    return tuple(sizes[round(k * last / (most - 1))] for k in range(most))


def per_row() -> int:
    """Panels side by side in a figure of the style's width."""
    return 2 if in_column() else 4


def panels(count: int, *, row: int = 0, height: float = 2.4) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels on one vertical scale, `row` of them or `per_row` side by side.

    `height` is that of a row, in inches.
    """
    columns = min(count, row or per_row())
    rows = -(-count // columns)
    figure = new_figure(height * rows + 0.7)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    axes = list(grid.flat)
    for panel in axes[count:]:
        panel.remove()
    for number, panel in enumerate(axes[:count]):
        # Shared axes leave out the labels where another panel was below, also a removed one.
        panel.tick_params(labelbottom=number + columns >= count)
    return figure, axes[:count]


def panels_of_sizes(sizes: Sequence[int]) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for each size, named above it."""
    figure, axes = panels(len(sizes))
    for one, size in zip(axes, sizes, strict=True):
        one.set_title(f"s = {size}")
    return figure, axes


def amount(budget: str) -> int:
    """The steps or epochs of a budget in words, such as "2,000 steps"."""
    return int(budget.split()[0].replace(",", ""))


def budget_axis(axes: Axes, budgets: Sequence[str]) -> None:
    """Budgets on a log2 scale, a tick at each."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator([float(amount(one)) for one in budgets]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([one_line(one.split()[0], 12) for one in budgets], fontsize="small")
