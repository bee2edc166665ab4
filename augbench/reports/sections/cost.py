"""Cost: what is reached against the computation of pretraining, and the front of best choices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from augbench.reports._formatting import number_text
from augbench.reports._tables import Column, Entry, Table, mean_entry, with_collapses
from augbench.reports.sections._section import NamedFigure, Report, Section
from augbench.results import Cost as CostOfChoice
from augbench.results import Pair

__all__ = ["Cost"]


class Cost(Section):
    """Every arm at every budget as a choice: what it costs, and what it reaches."""

    name = "cost"

    def table(self, report: Report, pair: Pair) -> Table | None:
        """One row for each size, arm and budget; None without results."""
        result = report.result
        found = result.costs(pair, confidence=report.confidence)
        if not any(one.score.n for one in found):
            return None
        low = {budget: result.at(budget).collapsed(pair) for budget in result.budgets}
        rows = [
            (
                Entry(one.augmentation, one.augmentation),
                Entry(one.budget, result.budgets.index(one.budget)),
                Entry(str(one.size), one.size),
                Entry(_counted(one.images), one.images),
                Entry(number_text(one.seconds, 2), one.seconds),
                with_collapses(
                    mean_entry(one.score, report.metric.decimals_of_mean),
                    int(low[one.budget][one.augmentation][:, result.sizes.index(one.size)].sum()),
                ),
                Entry("best" if one.on_front else "", "best" if one.on_front else ""),
            )
            for one in found
        ]
        unfair = " Seconds are left out where arms were not measured alike."
        return Table(
            self.name,
            f"Cost: the computation of pretraining, and the {report.scale.noun} that it buys",
            (
                Column("augmentation", "augmentation", words=True),
                Column("budget", "budget", "Length of pretraining", words=True),
                Column("size", "s", "Pretraining samples per class"),
                Column("images", "images", "Passed forwards and backwards, extra passes included"),
                Column("seconds", "seconds", "Of pretraining; a pack's are shared evenly"),
                Column(report.metric.name, report.metric.head, "Mean with its t interval"),
                Column("front", "front", "No choice of this size is as good for less", words=True),
            ),
            tuple(rows),
            "The front is that of the means: seeds may move a neighbour onto it."
            + (unfair if any(math.isnan(one.seconds) for one in found) else ""),
        )

    def figures(self, report: Report, pair: Pair) -> Iterator[NamedFigure]:
        """Accuracy against computation, where choices differ in it."""
        found = report.result.costs(pair, confidence=report.confidence)
        if _differ(found):
            from augbench.plotting import slug
            from augbench.reports.figures.cost import accuracy_by_cost

            yield NamedFigure(f"cost-{slug(*pair)}", accuracy_by_cost(report.result, pair, found))


def _differ(found: Sequence[CostOfChoice]) -> bool:
    known = {(one.size, one.images) for one in found if not math.isnan(one.images)}
    return len(known) > len({size for size, _ in known})


def _counted(images: float) -> str:
    return "–" if math.isnan(images) else f"{images:,.0f}"
