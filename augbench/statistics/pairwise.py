"""Paired comparisons of any arm with any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics._arrays import as_array, as_sizes
from augbench.statistics.analysis import analyse
from augbench.statistics.comparisons import tested_with_failures
from augbench.statistics.curves import aulc
from augbench.statistics.failures import failures_at_chance
from augbench.statistics.intervals import MeanInterval, paired_difference
from augbench.statistics.level import ALPHA
from augbench.statistics.records import Comparison
from augbench.statistics.scale import Scale
from augbench.statistics.signflip import DRAWS

__all__ = ["PairDifference", "all_pairs", "pairwise"]

_DRAWS = 9_999
"""Sampled sign vectors above 16 seeds: hundreds of pairs are flipped at once, and kept."""


@dataclass(frozen=True)
class PairDifference:
    """ΔAULC = `first` − `second` over the seeds with both whole curves, and its p-value.

    `p` is corrected for all pairs; NaN where no seed has both.
    """

    first: str
    second: str
    difference: MeanInterval
    p: float


def pairwise(
    scores: Mapping[str, ArrayLike],
    sizes: Sequence[int],
    against: str,
    *,
    failed: Mapping[str, ArrayLike] | None = None,
    chance: float = 0.0,
    scale: Scale = Scale(),
    confidence: float = 0.95,
    alpha: float = ALPHA,
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


def all_pairs(
    scores: Mapping[str, ArrayLike],
    sizes: Sequence[int],
    *,
    failed: Mapping[str, ArrayLike] | None = None,
    chance: float = 0.0,
    confidence: float = 0.95,
    alpha: float = ALPHA,
    seed: int = 0,
) -> tuple[PairDifference, ...]:
    """Compare the areas under the curves of any two arms, all pairs as one family.

    `scores[a]` is [n, K], the same n seeds at K `sizes`; NaN is a missing cell, and
    `failed[a]` [n, K] tells those that failed: a claim must hold with them left out and with them
    at `chance`. The test is `family_test`: a seed's differences of all pairs are flipped together,
    so that the chance of any false claim is `alpha`. That asks whether all arms are
    interchangeable within a seed: the partial null hypotheses of some equal arms among others are
    held by the step-down. Pairs stand in the order of the arms. Raises `UsageError` for less than
    two arms or shapes that do not fit.
    """
    whole = tuple(int(size) for size in as_sizes(sizes))
    arms = {name: as_array(values, f"scores[{name!r}]", ndim=2) for name, values in scores.items()}
    shapes = {arm.shape for arm in arms.values()}
    if len(arms) < 2 or len(shapes) > 1 or {shape[1] for shape in shapes} != {len(whole)}:
        raise UsageError(
            f"scores: expected two arms or more of [seeds, {len(whole)}], the same seeds of all, "
            f"got shapes {sorted(shapes)}"
        )
    masks = {name: np.asarray(mask, dtype=np.bool_) for name, mask in (failed or {}).items()}
    harsh = failures_at_chance(arms, masks, chance)
    pairs = list(combinations(arms, 2))

    def columns(
        table: Mapping[str, ArrayLike],
    ) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        areas = {name: aulc(values, whole) for name, values in table.items()}
        return np.column_stack([areas[first] - areas[second] for first, second in pairs])

    plain = columns(arms)
    tested = tested_with_failures(plain, columns(harsh), None, alpha=alpha, seed=seed, draws=_DRAWS)
    areas = {name: aulc(values, whole) for name, values in arms.items()}
    return tuple(
        PairDifference(
            first,
            second,
            paired_difference(areas[first], areas[second], confidence=confidence),
            float(p),
        )
        for (first, second), p in zip(pairs, tested.p, strict=True)
    )
