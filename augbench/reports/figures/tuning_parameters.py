"""Validation accuracy against the tried values of each tuned parameter, as small multiples."""

from __future__ import annotations

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from augbench.plotting import legend_above, letters, new_figure, one_line, wrapped
from augbench.protocol.metrics import PRIMARY
from augbench.reports.figures._looks import cast, looks
from augbench.reports.figures._panels import per_row, sizes_of_interest
from augbench.results import Pair, StudyResult
from augbench.tuning.spaces import Dimension

__all__ = ["accuracy_by_tuned_parameter"]

_MOST = 6
"""Parameters that are drawn: of more, the first of them; the table holds all."""


def accuracy_by_tuned_parameter(result: StudyResult, pair: Pair) -> Figure:
    """A point for each trial: a row of panels for each parameter, a column for each size.

    Of many arms, all but the best few are left out.
    """
    tuning = result.tuning
    assert tuning is not None
    shown = cast(result, pair)
    tuned = [label for label in result.augmentations if tuning.spaces(label)]
    # Where the best arms have no parameter that is tuned, the others are shown.
    arms = {label: look for label, look in shown.looks.items() if label in tuned}
    arms = arms or {label: looks(result)[label] for label in tuned}
    dimensions: dict[str, Dimension] = {}
    for label in arms:
        for one in tuning.spaces(label):
            dimensions.setdefault(one.name, one)
    rows = list(dimensions.values())[:_MOST]
    sizes = sizes_of_interest(result.sizes, per_row())
    figure = new_figure(1.9 * len(rows) + 0.8)
    axes = figure.subplots(len(rows), len(sizes), sharey="col", sharex="row", squeeze=False)
    entries: dict[str, Artist] = {}
    for line, one in zip(axes, rows, strict=True):
        for panel, size in zip(line, sizes, strict=True):
            for label, look in arms.items():
                found = tuning.sensitivity(pair, label, size, one.name)
                if (
                    found is None
                    or not found.values
                    or one.name not in {own.name for own in tuning.spaces(label)}
                ):
                    continue
                (entries[label],) = panel.plot(
                    found.values,
                    [PRIMARY.factor * score for score in found.scores],
                    color=look.colour,
                    marker=look.marker,
                    linestyle="none",
                    markersize=4,
                )
            if one.log:
                panel.set_xscale("log")
            panel.set_xlim(*_ends(one))
            ticks = [one.low, one.middle, one.high]
            panel.xaxis.set_major_locator(FixedLocator(ticks))
            panel.xaxis.set_minor_locator(NullLocator())
            panel.set_xticklabels([f"{tick:.2g}" for tick in ticks])
            panel.set_xlabel(one_line(one.label, 30), fontsize="small")
    for panel, size in zip(axes[0], sizes, strict=True):
        panel.set_title(f"s = {size}")
    images = "folds" if tuning.by_folds else "validation images"
    told = f", {words}" if (words := result.view.untuned.words) else ""
    if note := shown.note("left out"):
        figure.supxlabel(wrapped(note, letters(figure.get_figwidth() - 0.3)))
    room = letters(figure.get_figheight() - 0.8)
    figure.supylabel(wrapped(f"accuracy on {images} (%){told}", room))
    legend_above(figure, [(handle, label) for label, handle in entries.items()])
    return figure


def _ends(one: Dimension) -> tuple[float, float]:
    """The range that was searched, with a twentieth of it around."""
    if one.log:
        room = (one.high / one.low) ** 0.05
        return one.low / room, one.high * room
    room = 0.05 * (one.high - one.low)
    return one.low - room, one.high + room
