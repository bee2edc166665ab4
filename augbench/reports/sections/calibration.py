"""Calibration: ECE and log loss, before and after temperature scaling."""

from __future__ import annotations

from collections.abc import Iterator

from augbench.reports._tables import (
    ARM_AND_SIZE,
    Column,
    Entry,
    Table,
    difference_entry,
    mean_entry,
)
from augbench.reports.sections._section import NamedFigure, Report, Section
from augbench.results import Pair
from augbench.statistics import calibration_summary

__all__ = ["Calibration"]


class Calibration(Section):
    """Calibration error and log loss of each augmentation at each size."""

    name = "calibration"

    def table(self, report: Report, pair: Pair) -> Table | None:
        """ECE in per cent and log loss in nats, before and after scaling; None without any."""
        result, confidence = report.result, report.confidence
        metrics = ("ece", "ece_scaled", "nll", "nll_scaled")
        rows = []
        for label in result.augmentations:
            values = [result.values(pair, label, metric=metric) for metric in metrics]  # [n, K]
            for k, size in enumerate(result.sizes):
                nll = calibration_summary(*(v[:, k] for v in values), confidence=confidence).nll
                ece = calibration_summary(
                    *(100 * v[:, k] for v in values), confidence=confidence
                ).ece
                rows.append(
                    (
                        Entry(label, label),
                        Entry(str(size), size),
                        mean_entry(ece.before, 2),
                        mean_entry(ece.after, 2),
                        difference_entry(ece.change, factor=1, decimals=2),
                        mean_entry(nll.before, 3),
                        mean_entry(nll.after, 3),
                        difference_entry(nll.change, factor=1, decimals=3),
                    )
                )
        if not any(entry.n for row in rows for entry in row):
            return None
        return Table(
            self.name,
            f"Calibration on {pair[1]}: before and after temperature scaling",
            (
                *ARM_AND_SIZE,
                Column("ece", "ECE, %", "Expected calibration error, 15 bins"),
                Column("ece_scaled", "ECE scaled, %", "After temperature scaling"),
                Column("ece_change", "change", "Paired by seed"),
                Column("nll", "log loss, nats", "Negative log-likelihood"),
                Column("nll_scaled", "log loss scaled", "After temperature scaling"),
                Column("nll_change", "change", "Paired by seed"),
            ),
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
