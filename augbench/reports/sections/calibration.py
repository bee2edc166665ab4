"""Calibration: ECE and log loss, before and after temperature scaling."""

from __future__ import annotations

from collections.abc import Iterator

from augbench.protocol.metrics import metric
from augbench.protocol.readouts import READOUTS
from augbench.reports._tables import (
    ARM_AND_SIZE,
    Column,
    Entry,
    Table,
    difference_entry,
    mean_entry,
    metric_column,
    with_collapses,
)
from augbench.reports.sections._section import NamedFigure, Report, Section
from augbench.results import Pair
from augbench.statistics import calibration_summary

__all__ = ["Calibration"]

_UNSCALED = ("augmentation", "size", "ece", "nll")
"""The columns of a readout without temperature scaling."""


class Calibration(Section):
    """Calibration error and log loss of each augmentation at each size."""

    name = "calibration"

    def table(self, report: Report, pair: Pair) -> Table | None:
        """ECE in per cent and log loss in nats, before and after scaling; None without any."""
        result, confidence = report.result, report.confidence
        ece, nll = metric("ece"), metric("nll")
        scaled = {one: metric(f"{one.name}_scaled") for one in (ece, nll)}
        metrics = (ece.name, scaled[ece].name, nll.name, scaled[nll].name)
        is_scaled = READOUTS[result.view.readout].has(scaled[ece].name)
        rows, low = [], result.collapsed(pair)
        for label in result.augmentations:
            values = [result.values(pair, label, metric=name) for name in metrics]  # [n, K]
            for k, size in enumerate(result.sizes):
                losses = calibration_summary(*(v[:, k] for v in values), confidence=confidence).nll
                errors = calibration_summary(
                    *(ece.factor * v[:, k] for v in values), confidence=confidence
                ).ece
                rows.append(
                    (
                        Entry(label, label),
                        Entry(str(size), size),
                        with_collapses(
                            mean_entry(errors.before, ece.decimals_of_mean),
                            int(low[label][:, k].sum()),
                        ),
                        mean_entry(errors.after, ece.decimals_of_mean),
                        difference_entry(errors.change, factor=1, decimals=ece.decimals_of_mean),
                        mean_entry(losses.before, nll.decimals_of_mean),
                        mean_entry(losses.after, nll.decimals_of_mean),
                        difference_entry(losses.change, factor=1, decimals=nll.decimals_of_mean),
                    )
                )
        if not any(entry.n for row in rows for entry in row):
            return None
        columns = (
            *ARM_AND_SIZE,
            *(
                column
                for one in (ece, nll)
                for column in (
                    metric_column(one),
                    metric_column(scaled[one]),
                    Column(f"{one.name}_change", "change", "Paired by seed"),
                )
            ),
        )
        if not is_scaled:  # a head that no images were held out for
            plain = [k for k, one in enumerate(columns) if one.key in _UNSCALED]
            return Table(
                self.name,
                f"Calibration on {pair[1]}",
                tuple(columns[k] for k in plain),
                tuple(tuple(row[k] for k in plain) for row in rows),
            )
        return Table(
            self.name,
            f"Calibration on {pair[1]}: before and after temperature scaling",
            columns,
            tuple(rows),
            "The temperature is fitted on training images that finetuning did not see, never on "
            "the test set.",
        )

    def figures(self, report: Report, pair: Pair) -> Iterator[NamedFigure]:
        """Both measures over the sizes, before and after scaling."""
        from augbench.plotting import slug
        from augbench.reports.figures.calibration import calibration

        figure = calibration(report.result, pair, confidence=report.confidence)
        if figure is not None:
            yield NamedFigure(f"calibration-{slug(*pair)}", figure)
