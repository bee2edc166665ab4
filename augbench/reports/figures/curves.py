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

from augbench.plotting import REFERENCE, X_LABEL, Y_LABEL, legend_above, log2_axis, wrapped
from augbench.protocol.metrics import PRIMARY
from augbench.protocol.references import CEILING, FLOOR
from augbench.reports.figures._looks import Look, looks
from augbench.reports.figures._units import axis_of
from augbench.results import Pair, StudyResult
from augbench.statistics import MeanInterval

__all__ = ["band", "learning_curves"]

_MOST_THIN_LINES = 48
"""Above this number, single seeds would be a fog around the means."""
_MOST_EMPTY = 0.6
"""Empty space, in heights of the curves, that the axis may gain for a floor or ceiling."""


def learning_curves(result: StudyResult, pair: Pair, *, confidence: float = 0.95) -> Figure:
    """The metric over a log2 axis: each arm's mean, its t band, and thin lines of its seeds.

    The baseline goes on over the ruler; floor and ceiling are horizontal lines.
    """
    figure = Figure(figsize=(5.2, 3.5), layout="constrained")
    axes = figure.add_subplot()
    factor = result.primary.factor
    sizes = (*result.sizes, *result.ruler_sizes)
    thin = 1 < result.seeds <= _MOST_THIN_LINES // len(result.augmentations)
    entries: list[tuple[Artist, str]] = []
    for label, look in looks(result).items():
        wanted = sizes if label == result.baseline else result.sizes
        wanted = tuple(sorted(wanted))
        if thin:
            _seeds(axes, wanted, factor * result.values(pair, label, wanted), look)
        means = result.intervals(pair, label, wanted, factor=factor, confidence=confidence)
        entries.append((band(axes, wanted, means, look), label))
    entries += _references(axes, result, pair, confidence)
    entries += _majority(axes, result, pair)
    log2_axis(axes, sorted(sizes))
    axes.set_xlabel(wrapped(f"pretraining samples per class of {pair[0]} (log₂ scale)", X_LABEL))
    axes.set_ylabel(wrapped(axis_of(result, pair), Y_LABEL))
    axes.set_title(_title(result.seeds, confidence, thin))
    legend_above(figure, entries)
    return figure


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


def _title(seeds: int, confidence: float, thin: bool) -> str:
    if seeds == 1:
        return "n = 1 seed, no interval"
    each = "; thin: each seed" if thin else ""
    return f"mean of n = {seeds} seeds; band: {100 * confidence:g} % t interval{each}"
