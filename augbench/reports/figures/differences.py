"""Paired differences against samples per class, and the forest of differences of areas."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from augbench.plotting import REFERENCE, X_LABEL, Y_LABEL, legend_above, log2_axis, wrapped
from augbench.protocol.metrics import Metric
from augbench.reports.figures._looks import looks
from augbench.reports.figures._units import measured_on, unit_above
from augbench.results import Pair, StudyResult
from augbench.statistics import Analysis, Comparison

__all__ = ["forest", "paired_differences"]

_NAME = 34
"""Letters of an augmentation's or a pair's name on one line of the forest."""


def paired_differences(result: StudyResult, pair: Pair, analysis: Analysis) -> Figure:
    """The mean paired difference from the baseline at each size, with its t interval.

    Filled markers are differences that are established (corrected for all sizes and
    augmentations); arms stand beside each other so that no interval hides another.
    """
    figure = Figure(figsize=(5.2, 3.3), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0, color=REFERENCE, linewidth=1)
    chosen, factor = looks(result), result.primary.factor
    count = len(analysis.comparisons)
    step = min(0.12, 0.6 / max(1, count))  # in octaves
    entries: list[tuple[Artist, str]] = []
    for i, comparison in enumerate(analysis.comparisons):
        look = chosen[comparison.augmentation]
        place = np.array(analysis.sizes) * 2 ** ((i - (count - 1) / 2) * step)
        mean = [factor * row.difference.mean for row in comparison.by_size]
        half = [factor * row.difference.half_width for row in comparison.by_size]
        axes.plot(place, mean, color=look.colour, linestyle=look.dashes, linewidth=0.8, alpha=0.6)
        axes.errorbar(place, mean, yerr=half, fmt="none", ecolor=look.colour, elinewidth=1.2)
        sure = np.array([row.p_adjusted <= analysis.alpha for row in comparison.by_size])
        for chosen_ones, face in ((sure, look.colour), (~sure, "white")):
            axes.plot(
                place[chosen_ones],
                np.array(mean)[chosen_ones],
                marker=look.marker,
                markersize=4.5,
                linestyle="none",
                color=look.colour,
                markerfacecolor=face,
            )
        handle = Line2D([], [], **look.line)
        entries.append((handle, comparison.augmentation))
    log2_axis(axes, analysis.sizes)
    axes.set_xlabel(wrapped(f"pretraining samples per class of {pair[0]} (log₂ scale)", X_LABEL))
    axes.set_ylabel(
        wrapped(
            f"{unit_above(result)} above {analysis.baseline}, test on {measured_on(result, pair)}",
            Y_LABEL,
        )
    )
    axes.set_title(
        f"{_bars(analysis)}; filled: established" if analysis.n > 1 else "n = 1 seed, no interval"
    )
    if entries:
        legend_above(figure, entries)
    return figure


def _bars(analysis: Analysis) -> str:
    return f"paired {100 * analysis.confidence:g} % t intervals, n = {analysis.n}"


def forest(result: StudyResult, analyses: dict[Pair, Analysis]) -> Figure:
    """ΔAULC with its paired t interval: one row for each augmentation and pair."""
    rows = [
        (pair, comparison)
        for pair, analysis in analyses.items()
        for comparison in analysis.comparisons
    ]
    first = next(iter(analyses.values()))
    headings = {pair: _heading(pair) for pair in analyses if len(analyses) > 1}
    lines = sum(1 + wrapped(c.augmentation, _NAME).count("\n") for _, c in rows)
    lines_of_headings = sum(1 + heading.count("\n") for heading in headings.values())
    figure = Figure(
        figsize=(6.6, 0.9 + 0.17 * lines + 0.08 * len(rows) + 0.25 * lines_of_headings),
        layout="constrained",
    )
    axes = figure.add_subplot()
    axes.axvline(0, color=REFERENCE, linewidth=1)
    chosen, factor = looks(result), result.primary.factor
    names, places, y = [], [], 0.0
    previous: Pair | None = None
    for pair, comparison in rows:
        if headings and pair != previous:
            names.append(headings[pair])
            places.append(y)
            y += 1
            previous = pair
        look = chosen[comparison.augmentation]
        d = comparison.difference
        sure = comparison.reachable and comparison.p_adjusted <= first.alpha
        axes.errorbar(
            factor * d.mean,
            y,
            xerr=None if math.isnan(d.lower) else factor * d.half_width,
            color=look.colour,
            marker=look.marker,
            markersize=5.5,
            markerfacecolor=look.colour if sure else "white",
            elinewidth=1.4,
        )
        axes.annotate(
            _numbers(comparison, result.primary),
            (1.02, y),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=7.5,
        )
        names.append(wrapped(comparison.augmentation, _NAME))
        places.append(y)
        y += 1
    axes.set_yticks(places, names)
    axes.set_ylim(y - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    for tick in axes.get_yticklabels():
        if tick.get_text() in headings.values():
            tick.set_fontweight("bold")
    axes.set_xlabel(
        wrapped(f"ΔAULC: mean {result.scale.long_unit} above {first.baseline}", X_LABEL)
    )
    if first.n > 1:
        axes.set_title(f"{_bars(first)}; filled: p ≤ {first.alpha:g}")
    else:
        axes.set_title("n = 1 seed, no interval")
    return figure


def _heading(pair: Pair) -> str:
    name = f"{pair[0]} → {pair[1]}"
    if len(name) <= _NAME:
        return name
    return f"{wrapped(f'{pair[0]} →', _NAME)}\n{wrapped(pair[1], _NAME)}"


def _numbers(comparison: Comparison, one: Metric) -> str:
    d = comparison.difference
    if not d.n:
        return "no whole pair"
    mean = f"{one.factor * d.mean:+.{one.decimals_of_mean}f}".replace("-", "−")
    if math.isnan(d.lower):
        return mean
    low, high = (
        f"{one.factor * v:+.{one.decimals_of_mean}f}".replace("-", "−") for v in (d.lower, d.upper)
    )
    p = comparison.p_adjusted
    chance = f"p = {p:.2g}" if comparison.reachable else "p out of reach"
    return f"{mean} [{low}, {high}]  {chance}"
