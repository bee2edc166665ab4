"""The order of arms by their effect, which figures and the page share."""

from __future__ import annotations

import math
import warnings

import numpy as np

from augbench.results import Pair, StudyResult
from augbench.statistics import aulc

__all__ = ["by_effect", "in_colour_order", "leading"]

_FEW = 6
"""Augmentations that a figure shows in full; of more, the best five, so that each has a colour."""


def by_effect(result: StudyResult, pair: Pair) -> list[str]:
    """The augmentations but the baseline, the best first.

    Their effect is the mean difference of the area under the curve from the baseline, paired by
    seed; without a baseline, the mean area. Arms without one come last, in the order of the plan.
    """
    scores = result.scores(pair)
    plain = 0.0 if result.baseline is None else aulc(scores[result.baseline], result.sizes)
    sign = -1 if result.scale.lower_is_better else 1
    effects = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a mean over no seed
        for label, values in scores.items():
            effects[label] = sign * float(np.nanmean(aulc(values, result.sizes) - plain))
    others = [label for label in result.augmentations if label != result.baseline]
    return sorted(others, key=lambda label: (math.isnan(effects[label]), -effects[label]))


def leading(result: StudyResult, pair: Pair) -> tuple[str, ...]:
    """The augmentations that a figure of a pair shows in full, in the order of the plan."""
    best = by_effect(result, pair)
    best = best if len(best) <= _FEW else best[: _FEW - 1]
    return tuple(label for label in result.augmentations if label in best)


def in_colour_order(result: StudyResult) -> list[str]:
    """The augmentations but the baseline, those first that figures of any pair show in full.

    They take colours in this order, so that colours that recur are those of arms in the background.
    """
    ahead = {label for pair in result.pairs for label in leading(result, pair)}
    others = [label for label in result.augmentations if label != result.baseline]
    return sorted(others, key=lambda label: label not in ahead)
