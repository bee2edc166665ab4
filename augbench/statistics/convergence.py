"""Trainings that were plainly cut short: judged by their own curves, and by longer budgets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics._arrays import Floats, as_array, as_pair
from augbench.statistics.intervals import MeanInterval, paired_difference
from augbench.statistics.level import ALPHA
from augbench.statistics.signflip import step_down_max_t

__all__ = ["CutShort", "LateGain", "LateRise", "late_gain", "late_rises"]

_SHARE = 0.1
"""A training that learnt more than this share of it all in its last quarter was cut short.

An exponential approach is there after 2.5 time constants, with 8 % of it still to come.
"""
_LEVEL = 0.01
"""Of the test that a curve falls at all from its third to its last quarter.

Neighbouring windows are alike: with a correlation of .5, one curve errs .05 of the time, and more
than half of several seeds hardly ever.
"""
_FEWEST = 3
"""Windows of a quarter, below which its noise cannot be told."""
_RISE = 0.01
"""A longer budget that gains less accuracy than this does not show that another was cut short."""


@dataclass(frozen=True)
class LateGain:
    """What the last quarter of a training brought, over `n` seeds of one arm and size.

    `share` is the mean fall of the loss from the third quarter to the last, over the mean fall
    from guessing to the last quarter; NaN where nothing was learnt. `cut_short` counts the seeds
    whose own share is plainly large.
    """

    share: float
    cut_short: int
    n: int

    @property
    def plain(self) -> bool:
        """True where more than half of the seeds were plainly cut short."""
        return 2 * self.cut_short > self.n


@dataclass(frozen=True)
class LateRise:
    """The rise in accuracy with a longer budget, at one size, and its p (see `late_rises`)."""

    rise: MeanInterval
    p_adjusted: float

    def plain(self, alpha: float = ALPHA) -> bool:
        """True where an established rise is a point of accuracy at least."""
        return self.p_adjusted <= alpha and self.rise.mean >= _RISE


@dataclass(frozen=True)
class CutShort:
    """An arm at one size under one budget: its own curves, and its rise with the longest budget.

    `gain` is None where the learning rate is not constant, `rise` where there is no longer budget.
    """

    augmentation: str
    size: int
    gain: LateGain | None
    rise: LateRise | None

    @property
    def plain(self) -> bool:
        """True where either says that pretraining was plainly cut short."""
        curve = self.gain is not None and self.gain.plain
        return curve or (self.rise is not None and self.rise.plain())


def late_gain(losses: ArrayLike, guessing: float) -> LateGain:
    """Judge by its training loss whether pretraining was plainly cut short.

    `losses` [n, W] are means over W windows of equal length, of n seeds; `guessing` is the loss of
    guessing, ln(classes) in nats. A seed counts where its loss fell from the third quarter of its
    windows to the last one by more than a tenth of all that it fell from guessing, and by more
    than the noise of its windows (Welch's test, one-sided, at .01). NaN marks a missing seed. Only
    for a constant learning rate: a schedule that ends low flattens every curve.

    Raises `UsageError` for other shapes. Curves of fewer than 12 windows are too short to judge,
    and count no seed.
    """
    table = as_array(losses, "losses", ndim=2)
    if not math.isfinite(guessing) or guessing <= 0:
        raise UsageError(f"guessing: expected a loss in nats above 0, got {guessing}")
    table = table[~np.isnan(table).any(axis=1)]
    windows = table.shape[1]
    quarter = windows // 4
    if not len(table) or quarter < _FEWEST:
        return LateGain(math.nan, 0, len(table))
    last, before = table[:, -quarter:], table[:, -2 * quarter : -quarter]
    fall = before.mean(axis=1) - last.mean(axis=1)  # [n]
    learnt = guessing - last.mean(axis=1)
    large = (fall > _SHARE * learnt) & (_p_of_fall(before, last) <= _LEVEL)
    share = float(fall.mean() / learnt.mean()) if learnt.mean() > 0 else math.nan
    return LateGain(share, int(large.sum()), len(table))


def _p_of_fall(before: Floats, last: Floats) -> Floats:
    """One-sided p-values [n] of Welch's test that the mean of `before` [n, Q] is the greater."""
    from scipy.special import stdtr  # late, as in `t_quantile`

    q = before.shape[1]
    errors = np.stack([part.var(axis=1, ddof=1) / q for part in (before, last)])  # [2, n]
    total = errors.sum(axis=0)
    fall = before.mean(axis=1) - last.mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = fall / np.sqrt(total)
        df = total**2 * (q - 1) / (errors**2).sum(axis=0)
    p: Floats = np.where(total > 0, stdtr(df, -t), np.where(fall > 0, 0.0, 1.0))
    return p


def late_rises(
    longer: ArrayLike, shorter: ArrayLike, *, confidence: float = 0.95
) -> tuple[LateRise, ...]:
    """Test where a longer budget is more accurate: [n, C] accuracies of the same seeds.

    All C columns (arms and sizes) are tested together by step-down sign flips of whole seeds. A
    rise shows that the shorter budget was cut short; nothing shows that the longer one was not.
    """
    late, early = as_pair(longer, shorter, ndim=2)
    p = step_down_max_t(late - early)
    return tuple(
        LateRise(paired_difference(late[:, k], early[:, k], confidence=confidence), float(p[k]))
        for k in range(late.shape[1])
    )
