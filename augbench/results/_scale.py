"""The scale of a metric, for analyses, and the score that guessing has on it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from augbench.protocol.metrics import Metric
from augbench.statistics import Scale

__all__ = ["guessing", "scale_of"]


def scale_of(one: Metric) -> Scale:
    """The scale that analyses of a metric are on."""
    points = one.unit_of_difference == "points"
    return Scale(
        noun=one.short,
        unit=one.unit_of_difference,
        long_unit=f"{one.short} points" if points else f"{one.unit} of {one.short}",
        factor=one.factor,
        decimals=one.decimals_of_mean,
        lower_is_better=one.better == "lower",
        shares=one.unit == "%",
        no_multipliers=one.no_multipliers,
    )


def guessing(one: Metric, classes: int, images: NDArray[np.int64] | None) -> float:
    """The expected score of guessing every class alike; NaN where a metric has none.

    `images` are the test images of each class, if they are known. A calibration error has none: it
    depends on how sure a guess claims to be.
    """
    if one.name in ("accuracy", "balanced_accuracy", "shift_accuracy"):
        return 1 / classes
    if one.name in ("nll", "nll_scaled"):
        return math.log(classes)
    if one.name == "macro_f1" and images is not None:
        # Of a class with share p, a guess finds p/K of all images among the 1/K that it claims.
        p = images[images > 0] / images.sum()
        return float(np.mean(2 * (p / classes) / (p + 1 / classes)))
    return math.nan
