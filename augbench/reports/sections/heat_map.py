"""Heat map: arms against sizes at a glance, as a figure."""

from __future__ import annotations

from collections.abc import Iterator

from augbench.reports.sections._section import NamedFigure, Report, Section
from augbench.results import Pair

__all__ = ["HeatMap"]

_LEAST = 4
"""Arms from which on a map shows more than the curves do."""


class HeatMap(Section):
    """The difference of every arm from the baseline at each size."""

    name = "heat-map"

    def figures(self, report: Report, pair: Pair) -> Iterator[NamedFigure]:
        """A row for each arm, a column for each size; for four arms or more."""
        result = report.result
        if len(result.augmentations) >= _LEAST:
            from augbench.plotting import slug
            from augbench.reports.figures.heat_map import heat_map

            figure = heat_map(result, pair, report.comparisons(pair))
            yield NamedFigure(f"heat-map-{slug(*pair)}", figure)
