"""Do confidences mean what they say? Reliability, and what temperature scaling changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics._arrays import as_array
from augbench.statistics.intervals import MeanInterval, mean_interval, paired_difference

__all__ = [
    "CalibrationSummary",
    "Reliability",
    "ScalingEffect",
    "calibration_summary",
    "expected_calibration_error",
    "reliability",
]


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy in equal-width bins; empty bins have NaN means."""

    edges: tuple[float, ...]  # bins + 1
    counts: tuple[int, ...]
    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    ece: float


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


def reliability(confidences: ArrayLike, correct: ArrayLike, *, bins: int = 15) -> Reliability:
    """Bin the N test images by confidence, the greatest predicted probability in [0, 1].

    ECE = Σ_b (n_b/N) |accuracy_b − confidence_b| over equal-width bins ((b−1)/B, b/B], of which the
    first also takes 0: Naeini et al. 2015 (AAAI); Guo et al. 2017, arXiv 1706.04599, eq. 3, with
    B = 15. It is biased upwards on small test sets (each bin's noise counts as miscalibration), so
    compare arms on the same images only. Raises `UsageError` for values outside [0, 1], `correct`
    other than 0 and 1, no images, or unequal lengths.
    """
    p = as_array(confidences, "confidences", ndim=1)
    hits = as_array(correct, "correct", ndim=1)
    if len(p) != len(hits) or not len(p):
        raise UsageError(f"expected a confidence for each image, got {len(p)} and {len(hits)}")
    if not ((p >= 0) & (p <= 1)).all():
        raise UsageError("confidences: expected probabilities in [0, 1]")
    if not np.isin(hits, (0, 1)).all():
        raise UsageError("correct: expected 0 or 1 (or False, True) for each image")
    if bins < 1:
        raise UsageError(f"bins: expected at least 1, got {bins}")
    edges = np.arange(bins + 1) / bins
    index = np.clip(np.searchsorted(edges, p, side="left") - 1, 0, bins - 1)  # [N]
    counts = np.bincount(index, minlength=bins)
    sums = np.bincount(index, p, minlength=bins), np.bincount(index, hits, minlength=bins)
    ece = float(np.abs(sums[1] - sums[0]).sum() / len(p))
    filled = np.where(counts > 0, counts, 1)
    means = [np.where(counts > 0, total / filled, math.nan) for total in sums]
    return Reliability(
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        confidence=tuple(means[0].tolist()),
        accuracy=tuple(means[1].tolist()),
        ece=ece,
    )


def expected_calibration_error(
    confidences: ArrayLike, correct: ArrayLike, *, bins: int = 15
) -> float:
    """The ECE of `reliability`, in [0, 1]."""
    return reliability(confidences, correct, bins=bins).ece


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
