"""A test of whether any arm of a study has learnt anything at all.

Where none has, differences between arms are the noise of guessing, and ranking them says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from augbench.statistics._arrays import TIE, as_array, as_confidence
from augbench.statistics.failures import LEAST_LEARNT
from augbench.statistics.intervals import mean_interval

__all__ = ["Unlearnt", "nothing_learnt"]


@dataclass(frozen=True)
class Unlearnt:
    """No arm is shown to have learnt anything at any size.

    `noun` names the scores, `guessing` is what answers reach that look at no image (the larger of
    chance and the share of the largest class), `highest` the best mean of any arm
    and size, `upper` the highest upper end of their intervals: shares in [0, 1]. `means` counts the
    means that were tested.
    """

    noun: str
    guessing: float
    highest: float
    upper: float
    means: int

    @property
    def excluded(self) -> bool:
        """True where learning more than five points is excluded, not only not shown.

        The upper end of every interval is within five points above guessing: an intersection–union
        test, which needs no correction for the number of means (Berger 1982, Technometrics 24).
        """
        return self.upper < self.guessing + LEAST_LEARNT


def nothing_learnt(
    arms: Mapping[str, ArrayLike],
    guessing: float,
    *,
    noun: str = "accuracy",
    confidence: float = 0.95,
) -> Unlearnt | None:
    """Test whether any arm has learnt anything; None where one has, or may well have.

    `arms[a]` is [n, K], the share of right answers of n seeds at K sizes; NaN is a missing cell.
    The finding takes two things. No mean of an arm at a size is established above `guessing`, by
    the lower end of its t interval, corrected for the number of means (Bonferroni). And none is
    five points above it, as `collapsed` asks as well: with few seeds, the first alone says little.
    With fewer than two seeds anywhere there is no interval, and no finding.
    """
    confidence = as_confidence(confidence)
    columns = [
        column
        for name, arm in arms.items()
        for column in as_array(arm, f"arms[{name!r}]", ndim=2).T
        if not np.isnan(column).all()
    ]
    if not columns:
        return None
    means = [mean_interval(column, confidence=confidence) for column in columns]
    if not all(mean.n > 1 and mean.mean < guessing + LEAST_LEARNT for mean in means):
        return None
    strict = 1 - (1 - confidence) / len(columns)
    if any(mean_interval(c, confidence=strict).lower > guessing + TIE for c in columns):
        return None
    return Unlearnt(
        noun,
        guessing,
        highest=max(mean.mean for mean in means),
        upper=max(mean.upper for mean in means),
        means=len(means),
    )
