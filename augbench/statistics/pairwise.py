"""Paired comparisons of any arm with any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics.analysis import analyse
from augbench.statistics.records import Comparison
from augbench.statistics.scale import Scale
from augbench.statistics.signflip import DRAWS

__all__ = ["pairwise"]


def pairwise(
    scores: Mapping[str, ArrayLike],
    sizes: Sequence[int],
    against: str,
    *,
    failed: Mapping[str, ArrayLike] | None = None,
    chance: float = 0.0,
    scale: Scale = Scale(),
    confidence: float = 0.95,
    alpha: float = 0.05,
    seed: int = 0,
    draws: int = DRAWS,
) -> tuple[Comparison, ...]:
    """Compare every arm with `against`, whichever arm that is, as `analyse` does with a baseline.

    Differences are arm − `against`, at each size and of the area, with their paired t intervals;
    all are one family of `alpha`. A choice of `against` that was made by looking at the scores,
    such as the best arm, is not accounted for: `best_arms` is for that question. Arguments and
    errors are those of `analyse`; raises `UsageError` as well where `against` is no arm.
    """
    if against not in scores:
        raise UsageError(f"against: expected one of {', '.join(scores)}, got {against!r}")
    return analyse(
        scores,
        sizes,
        baseline=against,
        failed=failed,
        chance=chance,
        scale=scale,
        confidence=confidence,
        alpha=alpha,
        seed=seed,
        draws=draws,
    ).comparisons
