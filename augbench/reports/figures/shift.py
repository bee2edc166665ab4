"""Shift: accuracy against the strength of a corruption, a panel for each kind."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from augbench.plotting import in_column, label_panels, legend_above, letters, one_line
from augbench.protocol.metrics import PRIMARY
from augbench.reports.figures._looks import cast, faint_lines
from augbench.reports.figures._panels import panels
from augbench.results import Pair, StudyResult, UnderShift
from augbench.statistics import MeanInterval, mean_interval

__all__ = ["accuracy_by_strength"]


def accuracy_by_strength(
    result: StudyResult, pair: Pair, found: UnderShift, confidence: float = 0.95
) -> Figure:
    """The mean accuracy of each arm with its t interval; strength 0 are the clean images.

    A dagger behind an arm's point says that its training has met an operation of the corruption.
    Of many arms, the means of all but the best few are faint.
    """
    row = 2 if in_column() else 3
    figure, panels_of_kinds = panels(len(found.kinds), row=row, height=1.7)
    room = letters(figure.get_figwidth() / min(row, len(found.kinds)) - 0.4)
    shown, handles = cast(result, pair), dict[str, Artist]()
    arms = {label: found.accuracies[label] for label in shown.looks if label in found.accuracies}
    step = min(0.08, 0.3 / len(arms))
    places = np.array([0, *found.strengths], float)
    for number, kind in enumerate(found.kinds):
        panel = panels_of_kinds[number]
        panel.set_title(one_line(kind, room))
        others = [_means(found, label, number, confidence) for label in shown.others]
        behind = faint_lines(panel, list(places), [[one.mean for one in row] for row in others])
        for i, label in enumerate(arms):
            means = _means(found, label, number, confidence)
            at = places + (i - (len(arms) - 1) / 2) * step
            look = shown.looks[label]
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
        panel.set_xticks(places, ["clean", *map(str, found.strengths)])
        handles |= {name: artist for artist, name in behind}
    n, met = result.seeds, any(s for arm in found.met.values() for s in arm.values())
    bars = f"{100 * confidence:g} % t intervals, n = {n}" if n > 1 else "n = 1 seed, no interval"
    meaning = "; †: training has met this operation" if met else ""
    label_panels(
        figure,
        f"strength of the corruption of {pair[1]}, at s = {result.sizes[-1]}",
        f"accuracy ({PRIMARY.unit})",
        f"{bars}{meaning}",
        shown.note("grey"),
    )
    legend_above(figure, [(handle, label) for label, handle in handles.items()])
    return figure


def _means(found: UnderShift, label: str, number: int, confidence: float) -> list[MeanInterval]:
    """The mean accuracy of an arm on clean images, then at each strength of a corruption."""
    columns = [found.clean[label], *found.accuracies[label][:, number, :].T]  # [seeds] each
    return [mean_interval(PRIMARY.factor * one, confidence=confidence) for one in columns]
