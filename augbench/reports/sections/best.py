"""The best arms: at each size, those that cannot be told from the best."""

from __future__ import annotations

import math
from collections.abc import Sequence

from augbench.reports._formatting import p_text
from augbench.reports._tables import Column, Entry, Table
from augbench.reports.sections._section import Paragraph, Report, Section
from augbench.results import Pair
from augbench.statistics import BestSet, best_line

__all__ = ["Best"]


class Best(Section):
    """The set of best arms of a study with three arms or more, one of which may be the baseline.

    Of two arms, the verdict says all.
    """

    name = "best"

    def words(self, report: Report, pair: Pair) -> Sequence[Paragraph]:
        """One line: the best arms, sizes with equal sets together; nothing if nobody learnt."""
        found = report.result.best_arms(pair, confidence=report.confidence)
        if found is None or len(report.result.augmentations) < 3:
            return ()
        if report.result.unlearnt(pair, confidence=report.confidence) is not None:
            return ()
        line = best_line(found, baseline=report.result.baseline)
        if not any(one.reachable for one in (*found.by_size, found.overall)):
            return [Paragraph(line)]
        sentence = (
            "Arms joined by 'or' are not told apart; each set holds the best with "
            f"{100 * report.confidence:.6g}% confidence; exploratory."
        )
        return [Paragraph(line, (sentence,), kind=self.name)]

    def table(self, report: Report, pair: Pair) -> Table | None:
        """A row for each arm, a column for each size; None for fewer than three arms."""
        result = report.result
        found = result.best_arms(pair, confidence=report.confidence)
        if found is None or len(result.augmentations) < 3:
            return None
        sets = list(found.by_size)
        if len(sets) > 1:
            sets.append(found.overall)
        return Table(
            self.name,
            f"Best arms on {pair[1]}: the arms that may be the best at each size",
            (
                Column("augmentation", "augmentation", words=True),
                *(Column(str(size), str(size)) for size in result.sizes),
                *([Column("all", "all", "The area under the curve")] if len(sets) > 1 else []),
            ),
            tuple(
                (Entry(label, label), *(_entry(one, i) for one in sets))
                for i, label in enumerate(result.augmentations)
            ),
            "By pretraining samples per class. The best arm of a size is among those that may be "
            f"best there with {100 * report.confidence:.6g}% confidence, each size by itself. "
            "p is of the test that no other arm is better: sign flips of whole seeds, the greatest "
            "over all others. Exploratory: verdicts say whether an augmentation helps.",
        )


def _entry(one: BestSet, number: int) -> Entry:
    candidate = one.candidates[number]
    if math.isnan(candidate.p):
        return Entry("·")
    if not one.reachable:
        return Entry("too few seeds", candidate.p)
    if candidate.best:
        return Entry("may be best", candidate.p)
    return Entry(f"out (p = {p_text(candidate.p)})".replace("= <", "<"), candidate.p)
