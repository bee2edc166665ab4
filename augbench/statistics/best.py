"""The set of best arms: those that cannot be told from the best, at each size and over the curve.

Gupta 1965, *On some multiple decision (selection and ranking) rules*, Technometrics 7, and Hsu
1981, Ann. Stat. 9 (multiple comparisons with the best), with sign flips in the place of Student's
distribution.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augbench.errors import UsageError
from augbench.statistics._arrays import TIE, Floats, as_array, as_sizes
from augbench.statistics.curves import aulc
from augbench.statistics.failures import failures_at_chance
from augbench.statistics.level import ALPHA
from augbench.statistics.signflip import DRAWS, EXACT_SEEDS, sign_vectors
from augbench.text import shown

__all__ = ["BestArms", "BestSet", "Candidate", "best_arms"]

_SLACK = 1e-10  # statistics closer than this tie, as in `signflip`
_NAMED = 4  # more arms than these are counted rather than named
_ROWS = 512  # sign vectors at once: products so small stay on one thread, and in its cache


@dataclass(frozen=True)
class Candidate:
    """An arm, and the p-value of the test that no other arm is better than it.

    `best` is true where it stays in the set; `rival` is the arm that beats it most plainly, ""
    where none does. `p` is NaN, and `best` false, for an arm without any result.
    """

    augmentation: str
    p: float
    best: bool
    rival: str


@dataclass(frozen=True)
class BestSet:
    """The candidates at one size, in samples per class; None is the area under the curve.

    `n` is the most seeds that two arms share; `reachable` is true where that is enough to leave
    out any arm.
    """

    size: int | None
    candidates: tuple[Candidate, ...]
    n: int
    reachable: bool

    def __repr__(self) -> str:
        place = "over the curve" if self.size is None else f"at {self.size} samples per class"
        return f"<BestSet {place}: {self._words}>"

    @property
    def _words(self) -> str:
        if not self.reachable:
            return f"{self.n} seeds are too few to leave any arm out"
        if not self.left_out:
            return "no arm can be left out"
        if len(self.best) > _NAMED:
            return f"any of {len(self.best)} arms, {len(self.left_out)} left out"
        return shown(" or ".join(self.best))

    @property
    def best(self) -> tuple[str, ...]:
        """The arms of the set, in the order of the scores."""
        return tuple(one.augmentation for one in self.candidates if one.best)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The arms with results that are established not to be best."""
        return tuple(
            one.augmentation for one in self.candidates if not one.best and not math.isnan(one.p)
        )


@dataclass(frozen=True)
class BestArms:
    """The sets of best arms, each at level `alpha`; `seeds_needed` are the least that exclude."""

    overall: BestSet
    by_size: tuple[BestSet, ...]
    alpha: float
    seeds_needed: int

    def __repr__(self) -> str:
        sets = (*((str(one.size), one) for one in self.by_size), ("over the curve", self.overall))
        return f"<BestArms: {'; '.join(f'{place}: {one._words}' for place, one in sets)}>"


def best_arms(
    scores: Mapping[str, ArrayLike],
    sizes: Sequence[int],
    *,
    failed: Mapping[str, ArrayLike] | None = None,
    chance: float = 0.0,
    lower_is_better: bool = False,
    alpha: float = ALPHA,
    seed: int = 0,
    draws: int = DRAWS,
) -> BestArms:
    """Keep every arm for which "no other arm is better" is not rejected at `alpha`.

    `scores[a]` is [n, K], the same n seeds at K `sizes`; NaN is a missing cell, and a pair of arms
    is compared over the seeds that have both. `failed[a]` [n, K] is true where a cell failed: an
    arm is left out only if it is with failed cells missing and with them at `chance` (unless that
    is NaN). The baseline is an arm as all others.

    With δᵢᵇ = y[i, b] − y[i, a], the statistic of arm a is the greatest of 0 and Σᵢδᵢᵇ/√Σᵢ(δᵢᵇ)²
    over all rivals b, and p is the share of sign vectors under which it is as great, a seed's
    differences being flipped together: all 2ⁿ to 16 seeds, above them (b + 1)/(B + 1) of B =
    `draws` sampled ones. p ≥ 2⁻ⁿ, so 5 seeds can exclude at .05. The arm with the greatest p is
    always kept.

    **The guarantee**: a truly best arm is in the set of its size (or of the area) with probability
    1 − `alpha` or more. Its own test alone can leave it out, and that is one test, of the
    intersection of all its comparisons (Roy 1953, *On a heuristic method of test construction*,
    Ann. Math. Stat. 24): no correction for the number of candidates is needed. Of several that are
    equally best each is kept with that probability, not all at once; and each size is a set by
    itself. It is exact where the best arm's differences from all rivals are jointly symmetric about
    0, and at most `alpha` for a single rival that is worse (a p-value rises with every δ that
    falls); for several of which some are worse it is simulated (`benchmarks/best_arms.py`). As
    with every sign flip, lopsided differences with a mean of 0 are not covered.

    Raises `UsageError` for fewer than two arms, unlike shapes, or an `alpha` outside (0, 1).
    """
    if not 0 < alpha < 1:
        raise UsageError(f"alpha: expected a share between 0 and 1, got {alpha}")
    if draws < 1:
        raise UsageError(f"draws: expected at least 1 sampled sign vector, got {draws}")
    whole = tuple(int(size) for size in as_sizes(sizes))
    arms, lost = _checked(scores, failed or {}, len(whole))
    names = sorted(arms)  # sampled signs must not depend on the order of the arms
    tables = [arms]
    if any(mask.any() for mask in lost.values()):
        tables.append(failures_at_chance(arms, lost, chance))
    sign = -1.0 if lower_is_better else 1.0
    needed = max(1, math.ceil(-math.log2(alpha) - 1e-9))  # 2⁻ⁿ ≤ alpha

    def best_at(k: int | None) -> BestSet:
        plain, *harsh = (
            sign
            * np.column_stack(
                [aulc(table[name], whole) if k is None else table[name][:, k] for name in names]
            )
            for table in tables
        )  # [n, arms]
        p, rivals = _tested(plain, seed, draws)
        for values in harsh:
            p = np.maximum(p, _tested(values, seed, draws)[0])  # NaN without any result
        kept = (p > alpha * (1 + 1e-12)) | (p == np.nan_to_num(p, nan=-1.0).max())
        found = {
            name: Candidate(
                name, float(p[j]), bool(kept[j]), names[rivals[j]] if rivals[j] >= 0 else ""
            )
            for j, name in enumerate(names)
        }
        known = (~np.isnan(plain)).astype(np.int64)
        shared = known.T @ known  # the seeds of each two arms
        np.fill_diagonal(shared, 0)
        n, size = int(shared.max()), None if k is None else whole[k]
        return BestSet(size, tuple(found[name] for name in arms), n, n >= needed)

    return BestArms(best_at(None), tuple(best_at(k) for k in range(len(whole))), alpha, needed)


def _checked(
    scores: Mapping[str, ArrayLike], failed: Mapping[str, ArrayLike], count: int
) -> tuple[dict[str, Floats], dict[str, NDArray[np.bool_]]]:
    arms = {name: as_array(arm, f"scores[{name!r}]", ndim=2) for name, arm in scores.items()}
    shapes = {name: arm.shape for name, arm in arms.items()}
    if len(arms) < 2 or {shape[1] for shape in shapes.values()} != {count}:
        raise UsageError(f"scores: expected two arms or more of [seeds, {count}], got {shapes}")
    if len(set(shapes.values())) > 1:
        raise UsageError(f"scores: expected the same seeds of every arm, got {shapes}")
    lost = {name: np.asarray(mask, dtype=np.bool_) for name, mask in failed.items()}
    for name, mask in lost.items():
        if name not in arms or mask.shape != shapes[name]:
            raise UsageError(
                f"failed[{name!r}]: expected one of scores and its shape, got shape {mask.shape}"
            )
    return arms, lost


def _tested(values: Floats, seed: int, draws: int) -> tuple[Floats, list[int]]:
    """p-values [arms] of scores [n, arms], and of each arm the rival that beats it most or −1."""
    results = ~np.isnan(values).all(axis=0)
    values = values[(~np.isnan(values)).sum(axis=1) > 1]  # a seed of one arm compares nothing
    values = values[np.lexsort(values.T)]  # sampled signs must not depend on the order of seeds
    n, count = values.shape
    if not n:
        return np.where(results, 1.0, math.nan), [-1] * count
    delta = np.nan_to_num(values[:, None, :] - values[:, :, None], nan=0.0)  # [n, arm, rival]
    delta[np.abs(delta) <= TIE] = 0.0
    scale = np.sqrt((delta**2).sum(axis=0))
    delta /= np.where(scale > 0, scale, 1.0)  # an arm against itself stays 0
    sums = delta.sum(axis=0)  # [arm, rival]
    observed = sums.max(axis=1)  # never below 0
    rivals = [int(row.argmax()) if row.max() > _SLACK else -1 for row in sums]
    of_arm = np.ascontiguousarray(delta.transpose(1, 2, 0))  # [arm, rival, n]
    exact = n <= EXACT_SEEDS  # half of all sign vectors then: the others are their mirror
    reached, total = np.zeros(count), 0
    for block in sign_vectors(n, seed=seed, draws=draws):  # [rows, n]
        total += len(block)
        for start in range(0, len(block), _ROWS):
            signs = block[start : start + _ROWS].T
            for j in range(count):
                flips = of_arm[j] @ signs  # [rival, rows]
                reached[j] += np.count_nonzero(flips.max(axis=0) >= observed[j] - _SLACK)
                if exact:
                    low = flips.min(axis=0)
                    reached[j] += np.count_nonzero(low <= -observed[j] + _SLACK)
    p = reached / (2 * total if exact else total)
    return np.where(results, p, math.nan), rivals
