"""Tests across pairs of data sets: each pair counts once, whatever its number of seeds.

Ten seeds on two pairs are two observations of "another pair", never twenty. Demšar 2006, JMLR 7
(Wilcoxon over data sets); Benavoli, Corani & Mangili 2016, JMLR 17(5) (why not mean ranks:
the verdict on two methods would depend on which others were run).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics._arrays import TIE, as_array, split_missing
from augbench.statistics.intervals import MeanInterval, mean_interval
from augbench.statistics.multiple import holm

__all__ = ["LEAST_PAIRS", "AcrossDatasets", "PairEffect", "across_datasets", "wilcoxon_exact"]

LEAST_PAIRS = 6
"""Below six pairs even unanimous ones give p > .05."""


@dataclass(frozen=True)
class PairEffect:
    """The effect on one pair of data sets, over its seeds."""

    pair: str
    effect: MeanInterval


@dataclass(frozen=True)
class AcrossDatasets:
    """One augmentation over all pairs.

    `overall` is the mean of the pairs' means, with a t interval over pairs.
    `p` and `p_holm` are NaN where the test is refused, and `refusal` says why; else it is "".
    """

    augmentation: str
    effects: tuple[PairEffect, ...]
    overall: MeanInterval
    p: float
    p_holm: float
    refusal: str


def wilcoxon_exact(differences: ArrayLike) -> float:
    """The exact two-sided signed-rank p of the pairs' means [B], with ties; zeros are left out.

    Wilcoxon 1945, Biometrics Bulletin 1. The null distribution of the rank sum is counted over all
    2^B sign vectors by dynamic programming on doubled mid-ranks, which are whole numbers, so tied
    ranks stay exact. NaN is a missing pair; the p is 1 where nothing is left.
    """
    kept, _ = split_missing(as_array(differences, "differences", ndim=1))
    kept = kept[np.abs(kept) > TIE]
    if not len(kept):
        return 1.0
    size = np.abs(kept)
    below = (size[None, :] < size[:, None] - TIE).sum(axis=1)
    equal = (np.abs(size[None, :] - size[:, None]) <= TIE).sum(axis=1)
    ranks = 2 * below + equal + 1  # [B], twice the mid-rank
    total = int(ranks.sum())
    chance = np.zeros(total + 1)
    chance[0] = 1.0
    for rank in ranks.tolist():
        moved = chance / 2
        chance = moved.copy()
        chance[rank:] += moved[:-rank]
    observed = int(ranks[kept > 0].sum())
    distance = np.abs(2 * np.arange(total + 1) - total)
    return float(min(1.0, chance[distance >= abs(2 * observed - total)].sum()))


def across_datasets(
    effects: Mapping[str, Mapping[str, ArrayLike]], *, confidence: float = 0.95
) -> tuple[AcrossDatasets, ...]:
    """Compare augmentations over pairs: `effects[augmentation][pair]` is δ [n], one for each seed.

    Each pair's seeds are averaged, and from six pairs on the averages are tested (Wilcoxon, exact,
    Holm across augmentations). With fewer the test is refused, and each pair's own effect remains.
    The pairs need not have equally many seeds. Raises `UsageError` for an augmentation without any
    pair.
    """
    rows = [_row(name, pairs, confidence) for name, pairs in effects.items()]
    adjusted = holm([row.p for row in rows])
    return tuple(replace(row, p_holm=float(p)) for row, p in zip(rows, adjusted, strict=True))


def _row(name: str, pairs: Mapping[str, ArrayLike], confidence: float) -> AcrossDatasets:
    if not pairs:
        raise UsageError(f"augmentation {name!r}: expected at least one pair of data sets")
    effects = tuple(
        PairEffect(pair, mean_interval(delta, confidence=confidence))
        for pair, delta in pairs.items()
    )
    means = np.array([row.effect.mean for row in effects])  # [B]
    overall = mean_interval(means, confidence=confidence)
    refusal = _refusal(overall.n, int((np.abs(means) > TIE).sum()))  # NaN > TIE is False
    p = math.nan if refusal else wilcoxon_exact(means)
    return AcrossDatasets(name, effects, overall, p, math.nan, refusal)


def _refusal(pairs: int, used: int) -> str:
    if used >= LEAST_PAIRS:
        return ""
    without = f", {pairs - used} without any difference" if used < pairs else ""
    return (
        f"{pairs} pair{'s' if pairs != 1 else ''} of data sets{without}: a test across pairs "
        f"needs at least {LEAST_PAIRS}; read each pair's own interval"
    )
