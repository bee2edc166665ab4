"""Accuracy against the computation of pretraining, with the front of best choices."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from augbench.plotting import REFERENCE, label_panels, legend_above
from augbench.reports.figures._looks import cast
from augbench.reports.figures._panels import panels_of_sizes, sizes_of_interest
from augbench.reports.figures._units import axis_of
from augbench.results import Cost, Pair, StudyResult

__all__ = ["accuracy_by_cost"]


def accuracy_by_cost(result: StudyResult, pair: Pair, found: Sequence[Cost]) -> Figure:
    """The mean accuracy of each arm over its budgets, a panel for each size of interest.

    The horizontal axis counts images that pass forwards and backwards; the grey steps are the
    front, whose choices are filled. Of many arms, all but the best few are small and grey.
    """
    sizes = sizes_of_interest(result.sizes)
    figure, axes = panels_of_sizes(sizes)
    shown = cast(result, pair)
    entries: dict[str, Artist] = {}
    for panel, size in zip(axes, sizes, strict=True):
        here = [one for one in found if one.size == size and one.score.n and one.images > 0]
        front = sorted((one for one in here if one.on_front), key=lambda one: one.images)
        if front:
            x, y = [one.images for one in front], [one.score.mean for one in front]
            panel.step(x, y, where="post", color=REFERENCE, linewidth=1.0, alpha=0.7)
        others = [one for one in here if one.augmentation in shown.others]
        x, y = [one.images for one in others], [one.score.mean for one in others]
        panel.plot(x, y, ".", color="#B0B0B0", markersize=3, zorder=1.2)
        for label, look in shown.looks.items():
            mine = [one for one in here if one.augmentation == label]
            x, y = [one.images for one in mine], [one.score.mean for one in mine]
            panel.errorbar(
                x,
                y,
                yerr=[one.score.half_width for one in mine],
                fmt="none",
                ecolor=look.colour,
                elinewidth=0.8,
                alpha=0.6,
            )
            panel.plot(x, y, color=look.colour, linestyle=look.dashes, linewidth=0.8, alpha=0.6)
            for one in mine:
                panel.plot(
                    one.images,
                    one.score.mean,
                    marker=look.marker,
                    markersize=4.5,
                    color=look.colour,
                    markerfacecolor=look.colour if one.on_front else "white",
                )
            entries[label] = Line2D([], [], **look.line)
        _thousands(panel)
    entries["front of the means"] = Line2D([], [], color=REFERENCE, linewidth=1.0)
    label = f"images through the network in pretraining on {pair[0]} (log scale)"
    filled = "filled: on the front of the means"
    axis = axis_of(result, pair, of_budget=False)
    label_panels(figure, label, axis, filled, shown.note("grey dots"))
    legend_above(figure, [(handle, name) for name, handle in entries.items()])
    return figure


def _thousands(axes: Axes) -> None:
    """A log axis with plain ticks such as 20k and 1M; matplotlib's own hold mathematics."""

    def plain(value: float, _: int) -> str:
        for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
            if value >= unit:
                return f"{value / unit:g}{name}"
        return f"{value:g}"

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0), numticks=6))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(plain))
    axes.tick_params(axis="x", labelsize="small")
