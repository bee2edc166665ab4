"""Calibration: ECE and negative log-likelihood before and after temperature scaling."""

from __future__ import annotations

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from augbench.plotting import legend_above, log2_axis, wrapped
from augbench.protocol.metrics import metric
from augbench.protocol.readouts import READOUTS
from augbench.reports.figures._looks import looks
from augbench.reports.figures._units import measured_on
from augbench.reports.figures.curves import band
from augbench.results import Pair, StudyResult

__all__ = ["calibration"]

_PANELS = (metric("ece"), metric("nll"))
_PANEL = 46
"""Letters on one line above or below a panel."""


def calibration(result: StudyResult, pair: Pair, *, confidence: float = 0.95) -> Figure | None:
    """A row for each measure, a column before and one after scaling; None where none is there.

    A readout without scaling has the first column alone.
    """
    arms = {
        (name, label): result.intervals(
            pair, label, metric=name, factor=one.factor, confidence=confidence
        )
        for one in _PANELS
        for name in (one.name, f"{one.name}_scaled")
        for label in result.augmentations
    }
    if not any(mean.n for means in arms.values() for mean in means):
        return None
    scaled = READOUTS[result.view.readout].has("ece_scaled")
    figure = Figure(figsize=(6.6 if scaled else 3.8, 4.4), layout="constrained")
    axes = figure.subplots(2, 1 + scaled, sharex=True, sharey="row", squeeze=False)
    entries: list[tuple[Artist, str]] = []
    for row, one in enumerate(_PANELS):
        for column, name in enumerate((one.name, f"{one.name}_scaled")[: 1 + scaled]):
            panel = axes[row, column]
            drawn = [
                (band(panel, result.sizes, arms[name, label], look), label)
                for label, look in looks(result).items()
            ]
            entries = entries or drawn
            log2_axis(panel, result.sizes)
        # Both columns share this axis: a limit set before all is drawn would hold the upper one.
        axes[row, 0].set_ylim(bottom=0)
        axes[row, 0].set_ylabel(one.axis)
    place, n = measured_on(result, pair), result.seeds
    told = f"n = {n} seed{'s' if n > 1 else ''}"
    if scaled:
        axes[0, 0].set_title(wrapped(f"before temperature scaling, on {place}", _PANEL))
        axes[0, 1].set_title(f"after; {told}")
    else:
        axes[0, 0].set_title(wrapped(f"on {place}; {told}", _PANEL))
    for panel in axes[1]:
        panel.set_xlabel(wrapped(f"samples per class of {pair[0]}", _PANEL))
    legend_above(figure, entries)
    return figure
