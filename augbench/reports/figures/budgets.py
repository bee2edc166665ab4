"""Effects against the budget: the difference from the baseline at each length of pretraining."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from augbench.plotting import REFERENCE, X_LABEL, Y_LABEL, legend_above, wrapped
from augbench.reports.figures._looks import looks
from augbench.reports.figures._panels import amount, budget_axis, panels, sizes_of_interest
from augbench.reports.figures._units import measured_on, unit_above
from augbench.results import Pair, StudyResult
from augbench.statistics import mean_interval

__all__ = ["effect_by_budget"]


def effect_by_budget(result: StudyResult, pair: Pair, *, confidence: float = 0.95) -> Figure:
    """The paired difference of each arm with its t interval, a panel for each size of interest.

    For a study with a baseline and several budgets. Arms stand beside each other, so that no
    interval hides another.
    """
    assert result.baseline is not None
    sizes, factor = sizes_of_interest(result.sizes), result.primary.factor
    figure, axes = panels(sizes)
    arms = [label for label in result.augmentations if label != result.baseline]
    chosen, step = looks(result), min(0.12, 0.6 / max(1, len(arms)))  # in octaves
    steps = np.array([amount(budget) for budget in result.budgets], float)
    handles: dict[str, Artist] = {}
    for panel, size in zip(axes, sizes, strict=True):
        panel.axhline(0, color=REFERENCE, linewidth=1)
        for i, label in enumerate(arms):
            means = []
            for budget in result.budgets:
                arm, plain = (
                    result.at(budget).values(pair, one, (size,))[:, 0]
                    for one in (label, str(result.baseline))
                )
                means.append(mean_interval(factor * (arm - plain), confidence=confidence))
            place = steps * 2 ** ((i - (len(arms) - 1) / 2) * step)
            look = chosen[label]
            panel.errorbar(
                place,
                [mean.mean for mean in means],
                yerr=[mean.half_width for mean in means],
                fmt="none",
                ecolor=look.colour,
                elinewidth=1.2,
            )
            (handles[label],) = panel.plot(place, [mean.mean for mean in means], **look.line)
        budget_axis(panel, result.budgets)
    unit = result.budgets[-1].split()[1]
    label = wrapped(f"{unit} of pretraining on {pair[0]} (log₂ scale)", X_LABEL)
    figure.supxlabel(f"{label}\n{_bars(result.seeds, confidence)}", size=9)
    axes[0].set_ylabel(
        wrapped(
            f"{unit_above(result)} above {result.baseline}, test on {measured_on(result, pair)}",
            Y_LABEL,
        )
    )
    if handles:
        legend_above(figure, [(handle, label) for label, handle in handles.items()])
    return figure


def _bars(seeds: int, confidence: float) -> str:
    if seeds == 1:
        return "n = 1 seed, no interval"
    return f"paired {100 * confidence:g} % t intervals, n = {seeds}"
