"""Parameters: accuracy along a grid of one parameter, such as the alpha of mixup."""

from __future__ import annotations

import json
from collections.abc import Iterator

from augbench.plugins.grids import Grid, grids
from augbench.plugins.pipelines import Pipeline
from augbench.reports._tables import Column, Entry, Table, mean_entry, with_collapses
from augbench.reports.sections._section import NamedFigure, Report, Section
from augbench.results import Pair, StudyResult

__all__ = ["Parameters"]


class Parameters(Section):
    """The curve of every numeric parameter that the arms of a study form a grid of."""

    name = "parameters"

    def table(self, report: Report, pair: Pair) -> Table | None:
        """One row for each value of each grid; None without a grid."""
        result, one = report.result, report.metric
        low, rows = result.collapsed(pair), []
        for grid in _grids_of(result):
            for value, label in grid.points:
                means = result.intervals(
                    pair, label, factor=one.factor, confidence=report.confidence
                )
                entries = (
                    with_collapses(mean_entry(mean, one.decimals_of_mean), cells)
                    for mean, cells in zip(means, low[label].sum(axis=0).tolist(), strict=True)
                )
                row = (Entry(label, label), Entry(grid.name, grid.name), Entry(f"{value:g}", value))
                rows.append((*row, *entries))
        if not rows:
            return None
        return Table(
            self.name,
            f"Parameters: {one.title} on {pair[1]} in {one.unit} along each grid",
            (
                Column("augmentation", "augmentation", words=True),
                Column("parameter", "parameter", words=True),
                Column("value", "value"),
                *(Column(str(size), str(size)) for size in result.sizes),
            ),
            tuple(rows),
            "By pretraining samples per class. The best value of a grid is chosen by the noise as "
            "well: its figure is on average larger than the truth.",
        )

    def figures(self, report: Report, pair: Pair) -> Iterator[NamedFigure]:
        """Accuracy against the parameter, a line for each size."""
        found = _grids_of(report.result)
        if found:
            from augbench.plotting import slug
            from augbench.reports.figures.parameters import accuracy_by_parameter

            for number, grid in enumerate(found, start=1):
                figure = accuracy_by_parameter(
                    report.result, pair, grid, confidence=report.confidence
                )
                same = [one for one in found if one.name == grid.name]
                end = f"-{number}" if len(same) > 1 else ""
                name = slug(grid.name.replace(":", "_"))
                yield NamedFigure(f"parameter-{name}{end}-{slug(*pair)}", figure)


def _grids_of(result: StudyResult) -> list[Grid]:
    """The grids among arms that are trained under the same settings."""
    companies: dict[str, list[tuple[str, Pipeline]]] = {}
    for arm in result.stored.description["arms"]:
        settings = json.dumps(arm.get("settings", {}), sort_keys=True)
        pipeline = Pipeline.from_json(arm["pipeline"])
        companies.setdefault(settings, []).append((arm["shown"], pipeline))
    return [grid for arms in companies.values() for grid in grids(arms)]
