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
    """Nothing was learnt: no mean is established above guessing, and all are plainly near it.

    `noun` names the scores, `guessing` is the score of guessing, `highest` that of the best mean of
    any arm and size: both shares in [0, 1].
    """

    noun: str
    guessing: float
    highest: float


def nothing_learnt(
    arms: Mapping[str, ArrayLike],
    guessing: float,
    *,
    noun: str = "accuracy",
    confidence: float = 0.95,
) -> Unlearnt | None:
    """Test that no arm learnt anything; None where that is not shown.

    `arms[a]` is [n, K], the share of right answers of n seeds at K sizes; NaN is a missing cell.
    Two things have to hold. Every arm at every size is within five points above `guessing`: the
    upper ends of all its t intervals are, an intersection–union test, which needs no correction
    (Berger 1982, Technometrics 24). And no mean is established above guessing, by the lower end of
    an interval corrected for the number of arms and sizes (Bonferroni). With fewer than two seeds
    at any place there is no interval, and nothing is shown.
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
    if not all(mean.n > 1 and mean.upper < guessing + LEAST_LEARNT for mean in means):
        return None
    strict = 1 - (1 - confidence) / len(columns)
    if any(mean_interval(c, confidence=strict).lower > guessing + TIE for c in columns):
        return None
    return Unlearnt(noun, guessing, max(mean.mean for mean in means))
