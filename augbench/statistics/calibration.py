"""Calibration of one arm over its seeds, before and after temperature scaling."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from augbench.statistics.intervals import MeanInterval, mean_interval, paired_difference

__all__ = ["CalibrationSummary", "ScalingEffect", "calibration_summary"]


@dataclass(frozen=True)
class ScalingEffect:
    """One metric over seeds before and after temperature scaling, and the paired change."""

    before: MeanInterval
    after: MeanInterval
    change: MeanInterval


@dataclass(frozen=True)
class CalibrationSummary:
    """Expected calibration error (a share in [0, 1]) and negative log-likelihood (nats)."""

    ece: ScalingEffect
    nll: ScalingEffect


def calibration_summary(
    ece_before: ArrayLike,
    ece_after: ArrayLike,
    nll_before: ArrayLike,
    nll_after: ArrayLike,
    *,
    confidence: float = 0.95,
) -> CalibrationSummary:
    """Summarise one arm's seeds [n] before and after temperature scaling, all with t intervals.

    The temperature must have been fitted on training data held out of finetuning, never on the
    test set: Guo et al. 2017, arXiv 1706.04599, §4.2. To compare two arms, use
    `paired_difference` on the same column of both.
    """
    return CalibrationSummary(
        ece=_effect(ece_before, ece_after, confidence),
        nll=_effect(nll_before, nll_after, confidence),
    )


def _effect(before: ArrayLike, after: ArrayLike, confidence: float) -> ScalingEffect:
    return ScalingEffect(
        before=mean_interval(before, confidence=confidence),
        after=mean_interval(after, confidence=confidence),
        change=paired_difference(after, before, confidence=confidence),
    )
