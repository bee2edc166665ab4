"""Verdicts at the budgets but the primary one, which are exploratory: headlines, for the page."""

from __future__ import annotations

from dataclasses import replace

from augbench.reports._tables import Column, Entry, Table
from augbench.reports.sections._section import Report, Section
from augbench.results import Pair

__all__ = ["OtherBudgets"]


class OtherBudgets(Section):
    """The headline of every verdict at each budget but the primary one."""

    name = "other-budgets"

    def table(self, report: Report, pair: Pair) -> Table | None:
        """One row for each other budget and augmentation; None where there is one budget."""
        result = report.result
        rows = [
            (
                Entry(one.augmentation, one.augmentation),
                Entry(budget, result.budgets.index(budget)),
                Entry(one.kind, one.kind),
                Entry(one.headline, one.headline),
            )
            for budget in result.other_budgets
            for one in replace(report, result=result.at(budget)).verdicts(pair)
        ]
        if not rows:
            return None
        return Table(
            self.name,
            f"Verdicts at other budgets than {result.primary_budget}",
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
