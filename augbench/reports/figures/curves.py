"""Learning curves: a metric against samples per class, a mean and a band for each arm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from augbench.plotting import (
    REFERENCE,
    label_axes,
    label_panels,
    legend_above,
    letters,
    log2_axis,
    new_figure,
    set_title,
    wrapped,
)
from augbench.protocol.metrics import PRIMARY
from augbench.protocol.references import CEILING, FLOOR
from augbench.reports.figures._looks import Look, cast, faint_lines
from augbench.reports.figures._panels import panels, per_row
from augbench.reports.figures._units import axis_of, unusual_condition
from augbench.results import Pair, StudyResult
from augbench.statistics import MeanInterval

__all__ = ["band", "curves_of_all_pairs", "learning_curves"]

_MOST_THIN_LINES = 48
"""Above this number, single seeds would be a fog around the means."""
_MOST_EMPTY = 0.6
"""Empty space, in heights of the curves, that the axis may gain for a floor or ceiling."""
_CROSS: dict[str, Any] = {
    "marker": "x",
    "linestyle": "none",
    "markersize": 5,
    "markeredgewidth": 1.1,
    "zorder": 3,
}


def learning_curves(result: StudyResult, pair: Pair, *, confidence: float = 0.95) -> Figure:
    """The metric over a log2 axis: each arm's mean, its t band, and thin lines of its seeds.

    Of many arms, the baseline and the best few are shown so, and the means of the others are faint.
    The baseline goes on over the ruler; floor and ceiling are horizontal lines. A cross is a
    collapsed cell of an arm that is shown in full.
    """
    figure = new_figure(3.7)
    axes = figure.add_subplot()
    shown = cast(result, pair)
    thin = 1 < result.seeds <= _MOST_THIN_LINES // len(shown.looks)
    entries = _arms(axes, result, pair, confidence, thin=thin)
    entries += _references(axes, result, pair, confidence)
    entries += _majority(axes, result, pair)
    log2_axis(axes, sorted({*result.sizes, *result.ruler_sizes}))
    x = f"pretraining samples per class of {pair[0]} (log₂ scale)"
    label_axes(axes, x, axis_of(result, pair))
    set_title(axes, *_means(result.seeds, confidence), "thin: each seed" * thin, shown.note("grey"))
    legend_above(figure, entries)
    return figure


def curves_of_all_pairs(result: StudyResult, *, confidence: float = 0.95) -> Figure:
    """The learning curves of every pair of data sets, a panel each, on one vertical scale."""
    figure, axes = panels(len(result.pairs))
    entries: dict[str, Artist] = {}
    room = letters(figure.get_figwidth() / min(len(axes), per_row()) - 0.4)
    for panel, pair in zip(axes, result.pairs, strict=True):
        for artist, name in _arms(panel, result, pair, confidence, thin=False):
            entries.setdefault(name, artist)
        log2_axis(panel, sorted({*result.sizes, *result.ruler_sizes}))
        panel.set_title(wrapped(f"{pair[0]} → {pair[1]}", room))
    one = result.primary
    x = "pretraining samples per class (log₂ scale)"
    y = f"{one.title}{unusual_condition(result)} ({one.unit})"
    note = cast(result, result.pairs[0]).note("grey")
    notes = [*_means(result.seeds, confidence), f"in each panel {note}" if note else ""]
    label_panels(figure, x, y, "; ".join(filter(None, notes)))
    legend_above(figure, [(artist, name) for name, artist in entries.items()])
    return figure


def _arms(
    axes: Axes, result: StudyResult, pair: Pair, confidence: float, *, thin: bool
) -> list[tuple[Artist, str]]:
    """Draw the means of all arms, the bands of those in full, and crosses for collapsed cells."""
    factor, shown = result.primary.factor, cast(result, pair)
    sizes = (*result.sizes, *result.ruler_sizes)
    entries: list[tuple[Artist, str]] = []
    crosses = 0
    others = [
        [mean.mean for mean in result.intervals(pair, label, factor=factor, confidence=confidence)]
        for label in shown.others
    ]
    behind = faint_lines(axes, result.sizes, others)
    for label, look in shown.looks.items():
        wanted = tuple(sorted(sizes if label == result.baseline else result.sizes))
        values = factor * result.values(pair, label, wanted)  # [seeds, sizes]
        if thin:
            _seeds(axes, wanted, values, look)
        means = result.intervals(pair, label, wanted, factor=factor, confidence=confidence)
        entries.append((band(axes, wanted, means, look), label))
        low = result.collapsed(pair, wanted)[label]
        crosses += int(low.sum())
        places = np.broadcast_to(np.array(wanted, float), low.shape)[low]
        if low.any():
            axes.plot(places, values[low], **_CROSS, color=look.colour)
    if crosses:
        cells = "1 collapsed cell" if crosses == 1 else f"{crosses} collapsed cells"
        behind.append((Line2D([], [], **_CROSS, color=REFERENCE), cells))
    return entries + behind


def band(
    axes: Axes,
    sizes: Sequence[int],
    means: Sequence[MeanInterval],
    look: Look,
) -> Artist:
    """Draw the means at each size with their t band; returns the line, for a legend."""
    axes.fill_between(
        sizes,
        [mean.lower for mean in means],
        [mean.upper for mean in means],
        color=look.colour,
        alpha=look.shade,
        lw=0,
    )
    (line,) = axes.plot(sizes, [mean.mean for mean in means], **look.line)
    return line


def _seeds(axes: Axes, sizes: Sequence[int], values: NDArray[np.float64], look: Look) -> None:
    gap = np.full((len(values), 1), np.nan)  # one line with gaps is faster than a line a seed
    x = np.hstack([np.tile(np.array(sizes, float), (len(values), 1)), gap])
    y = np.hstack([values, gap])
    axes.plot(x.ravel(), y.ravel(), color=look.colour, linewidth=0.4, alpha=0.35, zorder=1.5)


def _references(
    axes: Axes, result: StudyResult, pair: Pair, confidence: float
) -> list[tuple[Artist, str]]:
    """Floor and ceiling as lines; one far off the curves is a number only, not to flatten them."""
    if not result.has_references:
        return []
    places, factor = result.primary.decimals_of_mean, result.primary.factor
    low, high = axes.get_ylim()
    room = _MOST_EMPTY * (high - low)
    entries: list[tuple[Artist, str]] = []
    for one, dashes in ((CEILING, (0, (8, 2))), (FLOOR, (0, (1, 1.5)))):
        name, size = one.name, one.samples_per_class
        (row,) = result.intervals(
            pair, str(result.baseline), (size,), factor=factor, confidence=confidence
        )
        if not row.n:
            continue
        style: dict[str, Any] = {"color": REFERENCE, "linestyle": dashes, "linewidth": 1.1}
        if low - room <= row.mean <= high + room:
            axes.axhline(row.mean, **style)
            if row.n > 1:
                axes.axhspan(row.lower, row.upper, color=REFERENCE, alpha=0.1, lw=0)
            entries.append((Line2D([], [], **style), f"{name} ({row.mean:.{places}f})"))
        else:
            told = f"{name} (off the axis: {row.mean:.{places}f})"
            entries.append((Line2D([], [], **style), told))
    return entries


def _majority(axes: Axes, result: StudyResult, pair: Pair) -> list[tuple[Artist, str]]:
    """A line at the accuracy of always answering the largest class, where classes are unequal."""
    balance = result.balance(pair)
    if result.primary is not PRIMARY or balance is None or not balance.unequal:
        return []
    share = 100 * balance.majority
    low, high = axes.get_ylim()
    style: dict[str, Any] = {"color": REFERENCE, "linestyle": (0, (3, 1, 1, 1)), "linewidth": 1.1}
    if low - _MOST_EMPTY * (high - low) <= share <= high + _MOST_EMPTY * (high - low):
        axes.axhline(share, **style)
        return [(Line2D([], [], **style), f"largest class ({share:.1f})")]
    return [(Line2D([], [], **style), f"largest class (off the axis: {share:.1f})")]


def _means(seeds: int, confidence: float) -> tuple[str, ...]:
    """Words on what a line and its band are."""
    if seeds == 1:
        return ("n = 1 seed, no interval",)
    return f"mean of n = {seeds} seeds", f"band: {100 * confidence:g} % t interval"
