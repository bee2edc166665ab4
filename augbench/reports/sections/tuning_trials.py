"""Trials of tuning: how many were made, and the expected best of k of them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from augbench.protocol.metrics import PRIMARY
from augbench.reports._formatting import number_text
from augbench.reports._tables import ARM_AND_SIZE, Column, Entry, Table
from augbench.reports.sections._section import NamedFigure, Report, Section, view_slug
from augbench.results import Pair

__all__ = ["TuningTrials", "rises"]

_RISE = 0.005
"""The rise of the expected best validation accuracy that is worth a remark: half a point."""


class TuningTrials(Section):
    """The trials of every arm and size, and the expected best validation accuracy of k of them."""

    name = "tuning-trials"
    of_view = False

    def table(self, report: Report, pair: Pair) -> Table | None:
        """One row for each arm and size with trials; None without any."""
        tuning = report.result.tuning
        if tuning is None:
            return None
        columns = _powers(tuning.trials)
        rows = []
        for label, size in tuning.places():
            cells = tuning.cells(pair, label, size)
            if not cells:
                continue
            best = tuning.best_of(pair, label, size)
            scores = tuning.scores(pair, label, size)
            diverged = sum(bool(one.result and one.result.metrics.get("diverged")) for one in cells)
            failed = sum(one.status == "failed" for one in cells)
            rows.append(
                (
                    Entry(label, label),
                    Entry(str(size), size),
                    Entry(str(scores.shape[1]), scores.shape[1]),
                    Entry(str(diverged), diverged),
                    Entry(str(failed), failed),
                    *(_share(best[k - 1]) if k <= len(best) else Entry("–") for k in columns),
                )
            )
        if not rows:
            return None
        one = "folds" if tuning.by_folds else "validation images"
        return Table(
            self.name,
            f"Trials: expected best accuracy on {one} of k trials, in %"
            f"{report.result.view.untuned.remark}",
            (
                *ARM_AND_SIZE,
                Column("trials", "trials", "Settings that were tried, the defaults first"),
                Column("diverged", "diverged", "Trainings that diverged; they score as guessing"),
                Column("failed", "failed", "Trainings without a result"),
                *(Column(f"best-{k}", f"k = {k}", "Expected best of k trials") for k in columns),
            ),
            tuple(rows),
            "An approximation: points that spread evenly are not independent. These scores chose, "
            "so they are higher than what the same settings reach on test images.",
        )

    def figures(self, report: Report, pair: Pair) -> Iterator[NamedFigure]:
        """The expected best against k, a line for each arm."""
        tuning = report.result.tuning
        if tuning is None:
            return
        if any(len(tuning.best_of(pair, *place)) for place in tuning.places()):
            from augbench.plotting import slug
            from augbench.reports.figures.tuning import best_of_curves

            name = "-".join(filter(None, (f"best-of-{slug(*pair)}", view_slug(report.result))))
            yield NamedFigure(name, best_of_curves(report.result, pair))


def rises(report: Report, pair: Pair) -> Iterator[tuple[str, int]]:
    """The arms and sizes whose expected best rose by half a point in the last quarter of trials."""
    tuning = report.result.tuning
    assert tuning is not None
    for label, size in tuning.places():
        best = tuning.best_of(pair, label, size)
        if len(best) > 1 and best[-1] - best[_three_quarters(len(best)) - 1] > _RISE:
            yield label, size


def _three_quarters(n: int) -> int:
    return max(1, min(n - 1, math.floor(0.75 * n)))


def _powers(most: int) -> list[int]:
    """1, 2, 4 … and the number of all trials."""
    return [*(2**k for k in range(most.bit_length()) if 2**k < most), most]


def _share(value: float) -> Entry:
    value = PRIMARY.factor * float(value)
    return Entry(number_text(value, PRIMARY.decimals_of_mean), value)
