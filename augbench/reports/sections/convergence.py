"""Convergence: the arms whose pretraining was plainly cut short, at each budget."""

from __future__ import annotations

from collections.abc import Sequence

from augbench.reports._formatting import number_text, p_text
from augbench.reports._tables import Column, Entry, Table, difference_entry
from augbench.reports.sections._section import Paragraph, Report, Section
from augbench.results import Pair
from augbench.statistics import CutShort, cut_short_line

__all__ = ["Convergence"]


class Convergence(Section):
    """Late gains of every training, and the rise with the longest budget."""

    name = "convergence"

    def words(self, report: Report, pair: Pair) -> Sequence[Paragraph]:
        """A line for each budget with arms that were plainly cut short, the longest first."""
        lines = [
            cut_short_line(_found(report, pair, budget), budget)
            for budget in report.result.budgets[::-1]
        ]
        return [Paragraph(line) for line in lines if line]

    def table(self, report: Report, pair: Pair) -> Table | None:
        """One row for each arm, budget and size."""
        budgets = report.result.budgets
        found = [(budget, one) for budget in budgets for one in _found(report, pair, budget)]
        if not any(_known(one) for _, one in found):
            return None
        rows = [
            (
                Entry(one.augmentation, one.augmentation),
                Entry(budget, budgets.index(budget)),
                Entry(str(one.size), one.size),
                Entry("plainly not" if one.plain else "–", one.plain),
                *_entries(one),
            )
            for budget, one in found
        ]
        return Table(
            self.name,
            "Convergence: was pretraining long enough?",
            (
                Column("augmentation", "augmentation", words=True),
                Column("budget", "budget", "Length of pretraining", words=True),
                Column("size", "s", "Pretraining samples per class"),
                Column("converged", "converged", "A dash is no proof that it has", words=True),
                Column("share", "late gain", "Share of all learning in the last quarter, in %"),
                Column("cut_short", "seeds", "Seeds with a late gain that is plainly over 10 %"),
                Column("rise", "rise", "Accuracy at the longest budget minus that at this one"),
                Column("rise_p", "p", "Sign flips, corrected for all arms and sizes of a budget"),
            ),
            tuple(rows),
            "Of the training loss, from that of guessing; only under a constant learning rate.",
        )


def _found(report: Report, pair: Pair, budget: str) -> Sequence[CutShort]:
    return report.result.at(budget).cut_short(pair, confidence=report.confidence)


def _known(one: CutShort) -> bool:
    return bool((one.gain is not None and one.gain.n) or (one.rise is not None and one.rise.rise.n))


def _entries(one: CutShort) -> tuple[Entry, ...]:
    share, seeds, rise, p = Entry("–"), Entry("–"), Entry("–"), Entry("–")
    if one.gain is not None and one.gain.n:
        share = Entry(number_text(100 * one.gain.share, 0), 100 * one.gain.share)
        seeds = Entry(f"{one.gain.cut_short} of {one.gain.n}", one.gain.cut_short)
    if one.rise is not None:
        rise = difference_entry(one.rise.rise)
        p = Entry(p_text(one.rise.p_adjusted), one.rise.p_adjusted)
    return share, seeds, rise, p
