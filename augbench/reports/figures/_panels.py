"""Figures of several panels, one for each size of interest, which share their axes."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from augbench.plotting import one_line

__all__ = ["amount", "budget_axis", "panels", "sizes_of_interest"]

_MOST = 4


def sizes_of_interest(sizes: Sequence[int]) -> tuple[int, ...]:
    """Up to four sizes: all, or the ends and two between them, evenly by rank."""
    if len(sizes) <= _MOST:
        return tuple(sizes)
    last = len(sizes) - 1
    return tuple(sizes[round(k * last / (_MOST - 1))] for k in range(_MOST))


def panels(sizes: Sequence[int]) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for each size, side by side, on one vertical scale."""
    width = max(3.6, 2.0 * len(sizes) + 1.0)
    figure = Figure(figsize=(width, 3.0), layout="constrained")
    axes = list(figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0])
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
    axes.set_xticklabels([one_line(one.split()[0], 12) for one in budgets], fontsize=7.5)
