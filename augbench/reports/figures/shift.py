"""Shift: accuracy against the strength of a corruption, a panel for each kind."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from augbench.plotting import X_LABEL, legend_above, one_line, wrapped
from augbench.protocol.metrics import PRIMARY
from augbench.reports.figures._looks import looks
from augbench.results import Pair, StudyResult, UnderShift
from augbench.statistics import mean_interval

__all__ = ["accuracy_by_strength"]

_COLUMNS = 3
_TITLE = 26
"""Letters above a panel."""


def accuracy_by_strength(
    result: StudyResult, pair: Pair, found: UnderShift, confidence: float = 0.95
) -> Figure:
    """The mean accuracy of each arm with its t interval; strength 0 are the clean images.

    A dagger behind an arm's point says that its training has met an operation of the corruption.
    """
    rows = -(-len(found.kinds) // _COLUMNS)
    columns = min(_COLUMNS, len(found.kinds))
    size = (max(3.6, 2.1 * columns + 0.6), 1.8 * rows + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels = list(grid.flat)
    for panel in panels[len(found.kinds) :]:
        panel.set_visible(False)
    chosen, handles = looks(result), dict[str, Artist]()
    step = min(0.08, 0.3 / len(found.accuracies))
    places = np.array([0, *found.strengths], float)
    for number, kind in enumerate(found.kinds):
        panel = panels[number]
        panel.set_title(one_line(kind, _TITLE))
        for i, (label, values) in enumerate(found.accuracies.items()):
            columns_of = [found.clean[label], *values[:, number, :].T]  # [seeds] each
            means = [
                mean_interval(PRIMARY.factor * one, confidence=confidence) for one in columns_of
            ]
            at = places + (i - (len(found.accuracies) - 1) / 2) * step
            look = chosen[label]
            panel.errorbar(
                at,
                [mean.mean for mean in means],
                yerr=[mean.half_width for mean in means],
                fmt="none",
                ecolor=look.colour,
                elinewidth=1,
            )
            (handles[label],) = panel.plot(at, [mean.mean for mean in means], **look.line)
            if found.met[label][kind]:
                last = (at[-1], means[-1].mean)
                panel.annotate(
                    "†", last, xytext=(4, -3), textcoords="offset points", color=look.colour
                )
        # Shared axes leave out the labels where another panel is below, also a hidden one.
        panel.set_xticks(places, ["clean", *map(str, found.strengths)])
        panel.tick_params(labelbottom=number + _COLUMNS >= len(found.kinds))
    for row in grid:
        row[0].set_ylabel(f"accuracy ({PRIMARY.unit})")
    n, met = result.seeds, any(s for arm in found.met.values() for s in arm.values())
    bars = f"{100 * confidence:g} % t intervals, n = {n}" if n > 1 else "n = 1 seed, no interval"
    what = wrapped(f"strength of the corruption of {pair[1]}, at s = {result.sizes[-1]}", X_LABEL)
    meaning = "; †: training has met this operation" if met else ""
    figure.supxlabel(f"{what}\n{bars}{meaning}", size=9)
    legend_above(figure, [(handle, label) for label, handle in handles.items()])
    return figure
