"""Tuned parameters: validation accuracy against the values that were tried."""

from __future__ import annotations

import math
from collections.abc import Iterator

from augbench.protocol.metrics import PRIMARY
from augbench.reports._formatting import number_text
from augbench.reports._tables import ARM_AND_SIZE, Column, Entry, Table
from augbench.reports.sections._section import NamedFigure, Report, Section, view_slug
from augbench.results import Pair

__all__ = ["TuningParameters"]


class TuningParameters(Section):
    """The direction and the strength with which each parameter moves validation accuracy."""

    name = "tuning-parameters"
    of_view = False

    def table(self, report: Report, pair: Pair) -> Table | None:
        """One row for each arm, size and parameter with three trials or more."""
        tuning = report.result.tuning
        if tuning is None:
            return None
        rows = []
        for label, size in tuning.places():
            for one in tuning.spaces(label):
                found = tuning.sensitivity(pair, label, size, one.name)
                if found is None or math.isnan(found.thirds[0]):
                    continue
                rows.append(
                    (
                        Entry(label, label),
                        Entry(str(size), size),
                        Entry(one.label, one.label),
                        Entry(number_text(found.correlation, 2), found.correlation),
                        *(_share(third) for third in found.thirds),
                        Entry(str(len(found.values)), len(found.values)),
                    )
                )
        if not rows:
            return None
        return Table(
            self.name,
            "Sensitivity: validation accuracy in % against each tuned parameter"
            f"{report.result.view.untuned.remark}",
            (
                *ARM_AND_SIZE,
                Column("parameter", "parameter", words=True),
                Column("correlation", "ρ", "Spearman's, of value and validation accuracy"),
                Column("low", "lowest third", "Mean over the trials with the lowest values"),
                Column("middle", "middle third"),
                Column("high", "highest third"),
                Column("n", "trials", "Complete ones with a value"),
            ),
            tuple(rows),
            "A picture, not a test: the other parameters differ from trial to trial too. A best "
            "third at an end says that the range may be too narrow.",
        )

    def figures(self, report: Report, pair: Pair) -> Iterator[NamedFigure]:
        """Small multiples: a row for each parameter, a column for each size of interest."""
        if self.table(report, pair) is not None:
            from augbench.plotting import slug
            from augbench.reports.figures.tuning_parameters import accuracy_by_tuned_parameter

            name = f"sensitivity-{slug(*pair)}"
            name = "-".join(filter(None, (name, view_slug(report.result))))
            yield NamedFigure(name, accuracy_by_tuned_parameter(report.result, pair))


def _share(value: float) -> Entry:
    value = PRIMARY.factor * value
    return Entry(number_text(value, PRIMARY.decimals_of_mean), value)
