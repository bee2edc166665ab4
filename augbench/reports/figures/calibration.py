"""Calibration: ECE and negative log-likelihood before and after temperature scaling."""

from __future__ import annotations

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from augbench.plotting import legend_above, letters, log2_axis, new_figure, wrapped
from augbench.protocol.metrics import metric
from augbench.protocol.readouts import READOUTS
from augbench.reports.figures._looks import cast, faint_lines
from augbench.reports.figures._units import measured_on
from augbench.reports.figures.curves import band
from augbench.results import Pair, StudyResult

__all__ = ["calibration"]

_PANELS = (metric("ece"), metric("nll"))


def calibration(result: StudyResult, pair: Pair, *, confidence: float = 0.95) -> Figure | None:
    """A row for each measure, a column before and one after scaling; None where none is there.

    A readout without scaling has the first column alone. Of many arms, the means of all but the
    best few are faint.
    """
    shown = cast(result, pair)
    means = {
        (name, label): result.intervals(
            pair, label, metric=name, factor=one.factor, confidence=confidence
        )
        for one in _PANELS
        for name in (one.name, f"{one.name}_scaled")
        for label in result.augmentations
    }
    if not any(mean.n for row in means.values() for mean in row):
        return None
    scaled = READOUTS[result.view.readout].has("ece_scaled")
    figure = new_figure(4.6)
    axes = figure.subplots(2, 1 + scaled, sharex=True, sharey="row", squeeze=False)
    entries: list[tuple[Artist, str]] = []
    for row, one in enumerate(_PANELS):
        for column, name in enumerate((one.name, f"{one.name}_scaled")[: 1 + scaled]):
            panel = axes[row, column]
            others = [[mean.mean for mean in means[name, label]] for label in shown.others]
            behind = faint_lines(panel, result.sizes, others)
            drawn = [
                (band(panel, result.sizes, means[name, label], look), label)
                for label, look in shown.looks.items()
            ]
            entries = entries or [*drawn, *behind]
            log2_axis(panel, result.sizes)
        # Both columns share this axis: a limit set before all is drawn would hold the upper one.
        axes[row, 0].set_ylim(bottom=0)
        axes[row, 0].set_ylabel(wrapped(one.axis, letters(0.5 * figure.get_figheight() - 0.6)))
    place, n = measured_on(result, pair), result.seeds
    told = "; ".join(filter(None, (f"n = {n} seed{'s' if n > 1 else ''}", shown.note("grey"))))
    room = letters(figure.get_figwidth() / (1 + scaled) - 0.5)
    if scaled:
        axes[0, 0].set_title(wrapped(f"before temperature scaling, on {place}", room))
        axes[0, 1].set_title(wrapped(f"after; {told}", room))
    else:
        axes[0, 0].set_title(wrapped(f"on {place}; {told}", room))
    for panel in axes[1]:
        panel.set_xlabel(wrapped(f"samples per class of {pair[0]}", room))
    legend_above(figure, entries)
    return figure
