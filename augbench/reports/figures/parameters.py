"""Accuracy against a parameter, along a grid of arms."""

from __future__ import annotations

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from augbench.plotting import (
    PALETTE,
    REFERENCE,
    label_axes,
    legend_above,
    new_figure,
    set_title,
)
from augbench.plugins.grids import Grid
from augbench.reports.figures._panels import sizes_of_interest
from augbench.reports.figures._units import axis_of
from augbench.results import Pair, StudyResult

__all__ = ["accuracy_by_parameter"]

_MARKERS = "osD^"


def accuracy_by_parameter(
    result: StudyResult, pair: Pair, grid: Grid, *, confidence: float = 0.95
) -> Figure:
    """Mean accuracy with its t band against the parameter: a line for each size of interest.

    The axis is logarithmic where values are positive and span a factor of 10. Dashes are the
    baseline at the same size.
    """
    figure = new_figure(3.5)
    axes, factor = figure.add_subplot(), result.primary.factor
    values = [value for value, _ in grid.points]
    entries: list[tuple[Artist, str]] = []
    for i, size in enumerate(sizes_of_interest(result.sizes)):
        colour = PALETTE[i]
        means = [
            result.intervals(pair, label, (size,), factor=factor, confidence=confidence)[0]
            for _, label in grid.points
        ]
        lower, upper = [mean.lower for mean in means], [mean.upper for mean in means]
        axes.fill_between(values, lower, upper, color=colour, alpha=0.15, lw=0)
        (line,) = axes.plot(
            values,
            [mean.mean for mean in means],
            color=colour,
            marker=_MARKERS[i],
            markersize=4,
            linewidth=1.5,
        )
        entries.append((line, f"s = {size}"))
        if result.baseline is not None:
            (plain,) = result.intervals(pair, result.baseline, (size,), factor=factor)
            if plain.n:
                axes.axhline(plain.mean, color=colour, linestyle=(0, (5, 2)), linewidth=0.9)
    if result.baseline is not None:
        dashes = Line2D([], [], color=REFERENCE, linestyle=(0, (5, 2)), linewidth=0.9)
        entries.append((dashes, result.baseline))
    if min(values) > 0 and max(values) >= 10 * min(values):
        axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(values))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{value:g}" for value in values])
    label_axes(axes, f"{grid.name}, pretraining on {pair[0]}", axis_of(result, pair))
    if result.seeds > 1:
        band = f"band: {100 * confidence:g} % t interval"
        set_title(axes, f"mean of n = {result.seeds} seeds", band)
    else:
        set_title(axes, "n = 1 seed, no interval")
    legend_above(figure, entries)
    return figure
