"""One study, computed twice with other draws: how much of its answer both computations tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from claims import ALPHA
from scipy import stats

from augbench.reports.answer import Answer, Point


@dataclass(frozen=True)
class Twice:
    """The differences from the baseline in two answers to one question, each beside its other.

    They are by arm, in the order of the second answer, at each size and then on average.
    """

    by_arm: dict[str, tuple[tuple[Point, Point], ...]]

    @property
    def all(self) -> tuple[tuple[Point, Point], ...]:
        """All of them, arm by arm."""
        return tuple(both for each in self.by_arm.values() for both in each)

    @property
    def apart(self) -> tuple[tuple[Point, Point], ...]:
        """Those whose two means differ by Welch's test, uncorrected."""
        return tuple(both for both in self.all if self.p(both) <= ALPHA)

    @staticmethod
    def p(both: tuple[Point, Point]) -> float:
        """The p of Welch's test that two means are the same; their seeds are not paired."""
        a, b = (one.difference for one in both)
        found = stats.ttest_ind_from_stats(a.mean, a.sd, a.n, b.mean, b.sd, b.n, equal_var=False)
        return float(found.pvalue)

    @property
    def established(self) -> tuple[int, int, int]:
        """The number that is established in the first, in the second, and alike in both."""
        return (
            sum(bool(first.claim) for first, _ in self.all),
            sum(bool(second.claim) for _, second in self.all),
            sum(bool(first.claim) and first.claim == second.claim for first, second in self.all),
        )

    @property
    def opposed(self) -> int:
        """The number that one establishes, and whose mean in the other has the other sign."""
        return sum(
            (bool(first.claim) or bool(second.claim))
            and first.difference.mean * second.difference.mean < 0
            for first, second in self.all
        )


def twice(first: Answer, second: Answer) -> Twice:
    """Set two answers of the same arms and sizes side by side."""
    return Twice(dict(_by_arm(first, second)))


def _by_arm(first: Answer, second: Answer) -> Iterator[tuple[str, tuple[tuple[Point, Point], ...]]]:
    rows = {row.augmentation: row for row in first.rows}
    for row in second.rows:
        one = rows[row.augmentation]
        points = zip((*one.points, one.average), (*row.points, row.average), strict=True)
        yield row.augmentation, tuple(points)
