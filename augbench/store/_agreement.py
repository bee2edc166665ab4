"""Agreement of two computations of one cell, up to rounding.

The same key promises the same numbers up to the order of floating-point sums, which thousands of
steps of training amplify: a handful of test images may change sides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from augbench.protocol.metrics import METRICS, PRIMARY
from augbench.protocol.shift import is_shift_metric

__all__ = ["Disagreement", "disagreements"]


@dataclass(frozen=True)
class Disagreement:
    """A metric of one cell in two stores."""

    metric: str
    first: float
    second: float


def disagreements(
    first: Mapping[str, float], second: Mapping[str, float], *, images: int
) -> tuple[Disagreement, ...]:
    """The metrics that differ by more than their tolerance; one that only one side has is left out.

    A test set of few `images` is allowed three of them.
    """
    least = 3.5 / max(1, images)
    tolerances = {one.name: one.tolerance for one in METRICS if one.tolerance is not None}
    assert PRIMARY.tolerance is not None
    tolerances |= dict.fromkeys(filter(is_shift_metric, first), PRIMARY.tolerance)
    return tuple(
        Disagreement(name, first[name], second[name])
        for name, tolerance in tolerances.items()
        if name in first
        and name in second
        and _differ(first[name], second[name], max(tolerance, least))
    )


def _differ(one: float, other: float, tolerance: float) -> bool:
    if not (math.isfinite(one) and math.isfinite(other)):
        return not (one == other or (math.isnan(one) and math.isnan(other)))
    return abs(one - other) > tolerance
