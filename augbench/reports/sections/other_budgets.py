"""Verdicts at the shorter budgets, which are exploratory: their headlines, for the page."""

from __future__ import annotations

from dataclasses import replace

from augbench.reports._tables import Column, Entry, Table
from augbench.reports.sections._section import Report, Section
from augbench.results import Pair

__all__ = ["OtherBudgets"]


class OtherBudgets(Section):
    """The headline of every verdict at each budget but the longest."""

    name = "other-budgets"

    def table(self, report: Report, pair: Pair) -> Table | None:
        """One row for each shorter budget and augmentation; None where there is one budget."""
        budgets = report.result.budgets
        rows = [
            (
                Entry(one.augmentation, one.augmentation),
                Entry(budget, number),
                Entry(one.kind, one.kind),
                Entry(one.headline, one.headline),
            )
            for number, budget in enumerate(budgets[:-1])
            for one in replace(report, result=report.result.at(budget)).verdicts(pair)
        ]
        if not rows:
            return None
        return Table(
            self.name,
            f"Verdicts at shorter budgets than {budgets[-1]}",
            (
                Column("augmentation", "augmentation", words=True),
                Column("budget", "budget", "Length of pretraining", words=True),
                Column("kind", "verdict", words=True),
                Column("headline", "in words", words=True),
            ),
            tuple(rows),
            "Exploratory: p-values are corrected within each budget alone. Two verdicts that read "
            "unlike do not show that the budget matters; the table of changes does.",
        )
