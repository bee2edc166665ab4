"""Label multipliers as a figure; their numbers stand in the tables of effects and of sizes."""

from __future__ import annotations

from collections.abc import Iterator

from augbench.reports.sections._section import NamedFigure, Report, Section
from augbench.results import Pair

__all__ = ["Multipliers"]


class Multipliers(Section):
    """The worth of each augmentation in labels, at each size."""

    name = "multipliers"

    def figures(self, report: Report, pair: Pair) -> Iterator[NamedFigure]:
        """The multipliers over the sizes, with arrows where they are censored."""
        analysis = report.comparisons(pair)
        if analysis is not None and not report.metric.no_multipliers:
            from augbench.plotting import slug
            from augbench.reports.figures.multipliers import label_multiplier_figure

            figure = label_multiplier_figure(report.result, pair, analysis)
            yield NamedFigure(f"label-multipliers-{slug(*pair)}", figure)
