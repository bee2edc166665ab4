"""Effects against the budget: the difference from the baseline at each length of pretraining."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from augbench.plotting import REFERENCE, label_panels, legend_above
from augbench.reports.figures._looks import cast, faint_lines
from augbench.reports.figures._panels import amount, budget_axis, panels_of_sizes, sizes_of_interest
from augbench.reports.figures._units import measured_on, unit_above
from augbench.results import Pair, StudyResult
from augbench.statistics import MeanInterval, mean_interval

__all__ = ["effect_by_budget"]


def effect_by_budget(result: StudyResult, pair: Pair, *, confidence: float = 0.95) -> Figure:
    """The paired difference of each arm with its t interval, a panel for each size of interest.

    For a study with a baseline and several budgets. Arms stand beside each other, so that no
    interval hides another. Of many arms, the means of all but the best few are faint.
    """
    assert result.baseline is not None
    sizes = sizes_of_interest(result.sizes)
    figure, axes = panels_of_sizes(sizes)
    shown = cast(result, pair)
    arms = [label for label in shown.looks if label != result.baseline]
    step = min(0.12, 0.6 / max(1, len(arms)))  # in octaves
    steps = np.array([amount(budget) for budget in result.budgets], float)
    handles: dict[str, Artist] = {}
    for panel, size in zip(axes, sizes, strict=True):
        panel.axhline(0, color=REFERENCE, linewidth=1)
        others = [_differences(result, pair, label, size, confidence) for label in shown.others]
        behind = faint_lines(panel, list(steps), [[one.mean for one in row] for row in others])
        for i, label in enumerate(arms):
            means = _differences(result, pair, label, size, confidence)
            place = steps * 2 ** ((i - (len(arms) - 1) / 2) * step)
            look = shown.looks[label]
            panel.errorbar(
                place,
                [mean.mean for mean in means],
                yerr=[mean.half_width for mean in means],
                fmt="none",
                ecolor=look.colour,
                elinewidth=1.2,
            )
            (handles[label],) = panel.plot(place, [mean.mean for mean in means], **look.line)
        handles |= {name: artist for artist, name in behind}
        budget_axis(panel, result.budgets)
    unit = result.budgets[-1].split()[1]
    where = measured_on(result, pair, of_budget=False)
    label_panels(
        figure,
        f"{unit} of pretraining on {pair[0]} (log₂ scale)",
        f"{unit_above(result)} above {result.baseline}, test on {where}",
        _bars(result.seeds, confidence),
        shown.note("grey"),
    )
    if handles:
        legend_above(figure, [(handle, label) for label, handle in handles.items()])
    return figure


def _differences(
    result: StudyResult, pair: Pair, label: str, size: int, confidence: float
) -> list[MeanInterval]:
    """The paired difference of an arm from the baseline at each budget."""
    found = []
    for budget in result.budgets:
        arm, plain = (
            result.at(budget).values(pair, one, (size,))[:, 0]
            for one in (label, str(result.baseline))
        )
        found.append(mean_interval(result.primary.factor * (arm - plain), confidence=confidence))
    return found


def _bars(seeds: int, confidence: float) -> str:
    if seeds == 1:
        return "n = 1 seed, no interval"
    return f"paired {100 * confidence:g} % t intervals, n = {seeds}"
