"""Paired differences against samples per class, and the forest of differences of areas."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from augbench.plotting import (
    REFERENCE,
    in_column,
    label_axes,
    legend_above,
    letters,
    log2_axis,
    new_figure,
    set_title,
    wrapped,
)
from augbench.protocol.metrics import Metric
from augbench.reports._ranking import by_effect
from augbench.reports.figures._looks import cast, faint_lines, looks
from augbench.reports.figures._units import measured_on, unit_above, unusual_condition
from augbench.results import Pair, StudyResult
from augbench.statistics import Analysis, Comparison
from augbench.statistics.claims import told_claims

__all__ = ["forest", "paired_differences"]

_ROW = 1.6
"""The height of a row of the forest with a name of one line, in lines of text."""


def paired_differences(result: StudyResult, pair: Pair, analysis: Analysis) -> Figure:
    """The mean paired difference from the baseline at each size, with its t interval.

    Filled markers are differences that are established (corrected for all sizes and
    augmentations); arms stand beside each other so that no interval hides another. Of many arms,
    the means of all but the best few are faint.
    """
    figure = new_figure(3.5)
    axes = figure.add_subplot()
    axes.axhline(0, color=REFERENCE, linewidth=1)
    shown, factor = cast(result, pair), result.primary.factor
    compared = [c for c in analysis.comparisons if c.augmentation in shown.looks]
    behind = faint_lines(
        axes,
        analysis.sizes,
        [
            [factor * row.difference.mean for row in c.by_size]
            for c in analysis.comparisons
            if c.augmentation in shown.others
        ],
    )
    count = len(compared)
    step = min(0.12, 0.6 / max(1, count))  # in octaves
    entries: list[tuple[Artist, str]] = []
    for i, comparison in enumerate(compared):
        look = shown.looks[comparison.augmentation]
        place = np.array(analysis.sizes) * 2 ** ((i - (count - 1) / 2) * step)
        mean = [factor * row.difference.mean for row in comparison.by_size]
        half = [factor * row.difference.half_width for row in comparison.by_size]
        axes.plot(place, mean, color=look.colour, linestyle=look.dashes, linewidth=0.8, alpha=0.6)
        axes.errorbar(place, mean, yerr=half, fmt="none", ecolor=look.colour, elinewidth=1.2)
        claimed = {row.size for row in told_claims(comparison, analysis).sizes}
        sure = np.array([row.size in claimed for row in comparison.by_size])
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
    x = f"pretraining samples per class of {pair[0]} (log₂ scale)"
    unit, where = unit_above(result), measured_on(result, pair)
    label_axes(axes, x, f"{unit} above {analysis.baseline}, test on {where}")
    bars = (_bars(analysis), "filled: established")
    set_title(axes, *bars if analysis.n > 1 else ("n = 1 seed, no interval",), shown.note("grey"))
    entries += behind
    if entries:
        legend_above(figure, entries)
    return figure


def _bars(analysis: Analysis) -> str:
    return f"paired {100 * analysis.confidence:g} % t intervals, n = {analysis.n}"


def forest(result: StudyResult, analyses: dict[Pair, Analysis]) -> Figure:
    """ΔAULC with its paired t interval: one row for each augmentation, the best first, and pair."""
    rows = [
        (pair, comparison)
        for pair, analysis in analyses.items()
        for comparison in _sorted(result, pair, analysis)
    ]
    first = next(iter(analyses.values()))
    figure = new_figure(1)
    room = letters((0.3 if in_column() else 0.36) * figure.get_figwidth())
    headings = {pair: _heading(pair, room) for pair in analyses if len(analyses) > 1}
    names = {c.augmentation: wrapped(c.augmentation, room) for _, c in rows}
    axes = figure.add_subplot()
    axes.axvline(0, color=REFERENCE, linewidth=1)
    chosen, factor = looks(result), result.primary.factor
    ticks: list[tuple[float, str]] = []
    y, previous = 0.0, None  # in lines of text

    def place(name: str) -> float:
        """The middle of the lines that a name takes; the next one stands below them."""
        nonlocal y
        taken = _ROW + name.count("\n")
        y += taken
        ticks.append((y - taken / 2, name))
        return y - taken / 2

    for pair, comparison in rows:
        if headings and pair != previous:
            place(headings[pair])
            previous = pair
        middle = place(names[comparison.augmentation])
        look = chosen[comparison.augmentation]
        d = comparison.difference
        sure = bool(told_claims(comparison, analyses[pair]).area)
        axes.errorbar(
            factor * d.mean,
            middle,
            xerr=None if math.isnan(d.lower) else factor * d.half_width,
            color=look.colour,
            marker=look.marker,
            markersize=5.5,
            markerfacecolor=look.colour if sure else "white",
            elinewidth=1.4,
        )
        axes.annotate(
            _numbers(comparison, result.primary),
            (1.02, middle),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize="small",
        )
    figure.set_figheight(0.8 + 0.15 * y)
    axes.set_yticks([at for at, _ in ticks], [name for _, name in ticks])
    axes.set_ylim(y + 0.2, -0.2)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    for tick in axes.get_yticklabels():
        if tick.get_text() in headings.values():
            tick.set_fontweight("bold")
    width = letters(0.5 * figure.get_figwidth())
    label = (
        f"ΔAULC: mean {result.scale.long_unit} above {first.baseline}{unusual_condition(result)}"
    )
    axes.set_xlabel(wrapped(label, width))
    told = f"{_bars(first)}; filled: established"
    axes.set_title(wrapped(told if first.n > 1 else "n = 1 seed, no interval", width))
    return figure


def _sorted(result: StudyResult, pair: Pair, analysis: Analysis) -> list[Comparison]:
    order = by_effect(result, pair)
    return sorted(analysis.comparisons, key=lambda c: order.index(c.augmentation))


def _heading(pair: Pair, room: int) -> str:
    """A pair on one line of `room` letters, or each data set on lines of its own."""
    name = f"{pair[0]} → {pair[1]}"
    if len(name) <= room:
        return name
    return f"{wrapped(f'{pair[0]} →', room)}\n{wrapped(pair[1], room)}"


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
    if in_column():  # the interval is drawn, and a filled marker says what is established
        return mean
    return f"{mean} [{low}, {high}]  {chance}"
