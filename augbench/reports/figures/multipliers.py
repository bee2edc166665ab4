"""Label multipliers: how many times more labels the same accuracy would have cost."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from augbench.plotting import (
    REFERENCE,
    label_axes,
    legend_above,
    log2_axis,
    new_figure,
    set_title,
)
from augbench.reports._worth import told_at
from augbench.reports.figures._looks import Look, cast
from augbench.reports.figures._units import measured_on
from augbench.results import Pair, StudyResult
from augbench.statistics import Analysis, Comparison, Multiplier

__all__ = ["label_multiplier_figure"]


def label_multiplier_figure(result: StudyResult, pair: Pair, analysis: Analysis) -> Figure:
    """The multiplier at each size with an established difference, on a log axis, with its interval.

    Where the estimate or an end of its interval lies off the measured sizes an arrow points there:
    nothing is extrapolated. The shaded region is what the measured baseline sizes can show. Of
    many arms, all but the best few are left out. Where nothing is left the figure says so: were it
    not drawn, the file of an earlier state of the study would stay and show what is not told.
    """
    figure = new_figure(3.6)
    axes = figure.add_subplot()
    chosen = cast(result, pair)
    sizes = np.array(analysis.sizes, float)
    compared = [c for c in analysis.comparisons if c.augmentation in chosen.looks]
    drawn = {c.augmentation: _drawn(c, analysis) for c in compared}
    least, most = _limits([m for one in drawn.values() for m in one.values()])
    known = {m.size: m for c in compared for m in (row.multiplier for row in c.by_size) if m.n}
    inside = [size for size in analysis.sizes if size in known]
    axes.fill_between(
        inside,
        [known[size].least for size in inside],
        [known[size].most for size in inside],
        color="#000000",
        alpha=0.05,
        lw=0,
    )
    axes.axhline(1, color=REFERENCE, linewidth=1)
    count = len(compared)
    step = min(0.12, 0.6 / max(1, count))
    entries: list[tuple[Artist, str]] = []
    for i, comparison in enumerate(compared):
        look = chosen.looks[comparison.augmentation]
        place = sizes * 2 ** ((i - (count - 1) / 2) * step)
        for x, size in zip(place, analysis.sizes, strict=True):
            if size in drawn[comparison.augmentation]:
                _draw(axes, float(x), drawn[comparison.augmentation][size], look)
        handle = Line2D([], [], **{**look.line, "linestyle": "none", "markersize": 5})
        entries.append((handle, comparison.augmentation))
    log2_axis(axes, analysis.sizes)
    axes.set_yscale("log", base=2)
    ticks = [2.0**k for k in range(math.ceil(math.log2(least)), math.floor(math.log2(most)) + 1)]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_yticklabels([f"{t:g}×" if t >= 1 else f"1/{1 / t:g}×" for t in ticks])
    axes.set_ylim(least / 1.5, most * 1.5)
    x = f"pretraining samples per class of {pair[0]} (log₂ scale)"
    label_axes(axes, x, f"worth in labels, test on {measured_on(result, pair)}")
    bars = f"{100 * analysis.confidence:g} % intervals, n = {analysis.n}"
    told = bars if analysis.n > 1 else "n = 1 seed"
    notes = ["only where the difference is established", "arrows: off the measured sizes"]
    if not any(drawn.values()):
        notes = ["nothing to draw: no established difference has a multiplier"]
    set_title(axes, told, *notes, chosen.note("left out"))
    if entries:
        legend_above(figure, entries)
    return figure


def _drawn(c: Comparison, analysis: Analysis) -> dict[int, Multiplier]:
    """The multipliers of an arm that are told and have a number, by size."""
    told = told_at(c, analysis)
    return {
        row.size: row.multiplier
        for row in c.by_size
        if row.size in told and not math.isnan(row.multiplier.value)
    }


def _limits(shown: list[Multiplier]) -> tuple[float, float]:
    """The range of the axis: what is drawn, and at least a factor of 2 either way."""
    lowest = [m.least if m.lower == 0 or m.censored == "below" else m.lower for m in shown]
    highest = [m.most if math.isinf(m.upper) or m.censored == "above" else m.upper for m in shown]
    drawn = [*lowest, *highest, *(m.value for m in shown)]
    finite = [end for end in drawn if math.isfinite(end) and end > 0]  # one seed has no interval
    return min([0.5, *finite]), max([2.0, *finite])


def _draw(axes: Axes, x: float, m: Multiplier, look: Look) -> None:
    open_ends = {"above": m.censored == "above", "below": m.censored == "below"}
    low, high = m.lower, m.upper
    if not math.isnan(low):
        open_ends["below"] |= low == 0
        open_ends["above"] |= math.isinf(high)
        axes.plot(
            [x, x],
            [m.least if low == 0 else low, m.most if math.isinf(high) else high],
            color=look.colour,
            linewidth=1.2,
        )
    for side, tip, marker in (("above", m.most, "^"), ("below", m.least, "v")):
        if open_ends[side]:
            beyond = tip * (1.16 if side == "above" else 1 / 1.16)
            axes.plot([x, x], [tip, beyond], color=look.colour, linewidth=1.2)
            axes.plot(x, beyond, marker=marker, color=look.colour, markersize=4, linestyle="none")
    if not m.censored:
        axes.plot(
            x,
            m.value,
            marker=look.marker,
            color=look.colour,
            markersize=4.5,
            linestyle="none",
        )
