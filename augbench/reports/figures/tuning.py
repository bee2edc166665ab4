"""Tuning: default and tuned means beside each other, and the expected best of k trials."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from augbench.plotting import REFERENCE, label_panels, legend_above
from augbench.protocol.metrics import PRIMARY
from augbench.reports.figures._looks import cast, faint_lines
from augbench.reports.figures._panels import panels_of_sizes, sizes_of_interest
from augbench.reports.figures._units import axis_of
from augbench.results import Pair, StudyResult

__all__ = ["best_of_curves", "default_and_tuned"]

_APART = 0.16


def default_and_tuned(result: StudyResult, pair: Pair, *, confidence: float = 0.95) -> Figure:
    """Means with t intervals: hollow at the defaults, filled tuned; a panel for each size.

    Of many arms, all but the best few are left out.
    """
    sizes, factor = sizes_of_interest(result.sizes), result.primary.factor
    figure, axes = panels_of_sizes(sizes)
    shown = cast(result, pair)
    plain, tuned = (result.at(view=replace(result.view, tuned=one)) for one in (False, True))
    handles: dict[str, Artist] = {}
    for panel, size in zip(axes, sizes, strict=True):
        for i, (label, look) in enumerate(shown.looks.items()):
            for at, place, fill in ((plain, i - _APART, "white"), (tuned, i + _APART, look.colour)):
                (mean,) = at.intervals(pair, label, (size,), factor=factor, confidence=confidence)
                if not mean.n:
                    continue
                half = 0.0 if np.isnan(mean.half_width) else mean.half_width
                panel.errorbar(
                    [place],
                    [mean.mean],
                    yerr=[half],
                    color=look.colour,
                    marker=look.marker,
                    markerfacecolor=fill,
                    markersize=5,
                    linestyle="none",
                    elinewidth=1.1,
                )
            handles[label] = Line2D(
                [], [], color=look.colour, marker=look.marker, linestyle="none", markersize=5
            )
        panel.set_xticks([])
        panel.set_xlim(-0.6, len(shown.looks) - 0.4)
    n = result.seeds
    bars = f"{100 * confidence:g} % t intervals, n = {n}" if n > 1 else "n = 1 seed, no interval"
    what = "hollow: at the defaults; filled: tuned"
    label_panels(figure, what, axis_of(plain, pair), bars, shown.note("left out"))
    legend_above(figure, [(handle, label) for label, handle in handles.items()])
    return figure


def best_of_curves(result: StudyResult, pair: Pair) -> Figure:
    """The expected best validation accuracy of k = 1 … n trials, a panel for each size.

    The defaults are the first trial. Sizes without trials of their own are left out. Of many arms,
    all but the best few are faint.
    """
    tuning = result.tuning
    assert tuning is not None
    curves = {
        (label, size): PRIMARY.factor * tuning.best_of(pair, label, size)
        for label, size in tuning.places()
    }
    there = [
        size for size in result.sizes if any(len(curves[a, size]) for a in result.augmentations)
    ]
    sizes = sizes_of_interest(there or result.sizes)
    figure, axes = panels_of_sizes(sizes)
    shown = cast(result, pair)
    entries: dict[str, Artist] = {}
    for panel, size in zip(axes, sizes, strict=True):
        others = [curves[label, size] for label in shown.others]
        most = max(map(len, others), default=0)
        padded = [np.append(one, np.full(most - len(one), np.nan)).tolist() for one in others]
        behind = faint_lines(panel, list(range(1, most + 1)), padded) if most else []
        for label, look in shown.looks.items():
            best = curves[label, size]
            if len(best):
                (entries[label],) = panel.plot(np.arange(1, len(best) + 1), best, **look.line)
        entries |= {name: artist for artist, name in behind}
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        panel.grid(axis="y", color=REFERENCE, alpha=0.2, linewidth=0.6)
    images = "folds" if tuning.by_folds else "validation images"
    told = f", {words}" if (words := result.view.untuned.words) else ""
    label_panels(
        figure,
        f"k trials, the defaults first{told}",
        f"expected best accuracy on {images} (%)",
        "an approximation: points are not independent",
        shown.note("grey"),
    )
    legend_above(figure, [(handle, label) for label, handle in entries.items()])
    return figure
