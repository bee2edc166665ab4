"""Budgets: the difference at each length of pretraining, and how the budget changes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from augbench.reports._formatting import p_text
from augbench.reports._tables import Column, Entry, Table, with_collapses
from augbench.reports.sections._section import NamedFigure, Paragraph, Report, Section
from augbench.results import Pair
from augbench.statistics import changed_by_budgets, unchanged_by_budgets

__all__ = ["Budgets"]


class Budgets(Section):
    """Other budgets against the primary one, by a paired test of the interaction."""

    name = "budgets"

    def words(self, report: Report, pair: Pair) -> Sequence[Paragraph]:
        """A line for each augmentation and budget that changes its difference."""
        found = report.result.interactions(pair, confidence=report.confidence)
        scale = report.scale
        return [
            *(Paragraph(line, kind="budget") for line in changed_by_budgets(found, scale=scale)),
            *(Paragraph(line) for line in unchanged_by_budgets(found, scale=scale)),
        ]

    def table(self, report: Report, pair: Pair) -> Table | None:
        """Both differences and their change, for each augmentation, budget and size."""
        found = report.result.interactions(pair, confidence=report.confidence)
        if not found:
            return None
        rows = [
            (
                Entry(one.augmentation, one.augmentation),
                Entry(one.first, report.result.budgets.index(one.first)),
                Entry("all" if one.size is None else str(one.size), one.size or 0),
                report.difference(one.at_first),
                report.difference(one.at_second),
                with_collapses(report.difference(one.change), one.collapses),
                Entry(
                    p_text(one.p_adjusted)
                    if one.reachable
                    else f"out of reach (n ≥ {one.seeds_needed})",
                    one.p_adjusted,
                ),
                Entry(p_text(one.test.p), one.test.p),
                Entry(str(one.change.n), one.change.n),
            )
            for one in found
        ]
        primary = found[0].second
        return Table(
            self.name,
            f"Budgets: differences at other ones beside those with {primary}, in "
            f"{report.scale.long_unit}",
            (
                Column("augmentation", "augmentation", words=True),
                Column("budget", "budget", "The other length of pretraining", words=True),
                Column("size", "s", "Pretraining samples per class; all: the area under the curve"),
                Column("at_first", "with it", "Difference from the baseline at that budget"),
                Column("at_second", f"with {primary}", "Difference at the primary budget"),
                Column("change", "change", "Primary minus other, paired by seed"),
                Column(
                    "p_adjusted",
                    "p",
                    "Sign-flip test of the change, corrected for all of this table",
                ),
                Column("p", "p alone", "The same test, uncorrected"),
                Column("n", "n", "Seeds with all four cells"),
            ),
            tuple(rows),
            "Exploratory: this table is a family of tests of its own. That one difference is "
            "established and another is not does not show that they differ; the change does.",
        )

    def figures(self, report: Report, pair: Pair) -> Iterator[NamedFigure]:
        """The differences against the budget, where there are several."""
        result = report.result
        if len(result.budgets) > 1 and report.comparisons(pair) is not None:
            from augbench.plotting import slug
            from augbench.reports.figures.budgets import effect_by_budget

            figure = effect_by_budget(result, pair, confidence=report.confidence)
            yield NamedFigure(f"budgets-{slug(*pair)}", figure)
