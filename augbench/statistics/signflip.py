"""Sign-flip tests of paired differences: one endpoint, several sizes, or a whole family.

The null hypothesis: the two arms of a seed are interchangeable, so δᵢ and −δᵢ are equally likely.
Fisher 1935, *The Design of Experiments*, §21; Lehmann & Romano, *Testing Statistical Hypotheses*,
ch. 15 (randomization tests). No distribution is assumed, but symmetry about 0 is what is tested:
a mean of 0 with lopsided differences is not covered (see docs/statistics.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augbench.errors import UsageError
from augbench.statistics._arrays import TIE, Floats, as_array, split_missing
from augbench.statistics.level import ALPHA

__all__ = [
    "DRAWS",
    "FamilyTest",
    "SignFlip",
    "attainable_p",
    "family_test",
    "seeds_to_reach",
    "sign_flip",
    "sign_vectors",
    "step_down_max_t",
]

EXACT_SEEDS = 16
"""Up to here all sign vectors are enumerated: half of 2^16, the other half being their mirror."""
DRAWS = 99_999
"""Sampled sign vectors above it: the least p is then 1e-5."""
_BLOCK = 1 << 15  # rows of sign vectors held at once: 4 MB at 16 seeds
_SLACK = 1e-10  # statistics closer than this tie; they lie between 0 and √n


@dataclass(frozen=True)
class SignFlip:
    """A two-sided p-value over `n` seeds; `draws` sign vectors were sampled where not `exact`."""

    p: float
    n: int
    exact: bool
    draws: int
    dropped: tuple[int, ...] = ()


@dataclass(frozen=True)
class FamilyTest:
    """A family of C tests: adjusted p-values and levels, both [C], NaN where nothing is paired.

    `levels` are the shares of sign vectors in which a column by itself would reach the family's
    critical value at `alpha`: the level that the family leaves to each test, for planning.
    """

    p: Floats
    levels: Floats


def sign_flip(differences: ArrayLike, *, seed: int = 0, draws: int = DRAWS) -> SignFlip:
    """Test that paired differences [n] are symmetric about 0.

    p = #{ε ∈ {±1}ⁿ : |Σεᵢδᵢ| ≥ |Σδᵢ| − tol}/2ⁿ, enumerated for n ≤ 16. Above, with b of B sampled
    vectors at least as extreme, p = (b + 1)/(B + 1): Phipson & Smyth 2010, *Permutation p-values
    should never be zero*, SAGMB 9(1):39, eq. 2. `seed` starts the sampling. The differences are
    sorted first, so the order of the seeds never matters. NaN is a missing pair; p is NaN without
    any pair, and 1 with one.
    """
    kept, dropped = split_missing(as_array(differences, "differences", ndim=1))
    exact, draws = _mode(len(kept), draws)
    if not len(kept):
        return SignFlip(math.nan, 0, exact, draws, dropped)
    kept = np.sort(kept)
    observed = abs(float(kept.sum())) - float(_SLACK * np.abs(kept).sum()) - TIE
    count = rows = 0
    for signs in sign_vectors(len(kept), seed=seed, draws=draws):
        count += int((np.abs(signs @ kept) >= observed).sum())  # [rows]
        rows += len(signs)
    return SignFlip(count / rows, len(kept), exact, draws, dropped)


def step_down_max_t(differences: ArrayLike, *, seed: int = 0, draws: int = DRAWS) -> Floats:
    """Adjusted p-values [K] of differences [n, K] over K sizes, which weigh the same.

    Westfall & Young 1993, *Resampling-Based Multiple Testing*, algorithm 4.1 (step-down maxT;
    Ge, Dudoit & Speed 2003, Test 12, box 2), with a seed's whole vector flipped at once, which
    keeps the dependence between sizes. See `family_test` for the statistic and missing cells.
    """
    return _tested(differences, None, None, seed, draws).p


def family_test(
    differences: ArrayLike,
    groups: Sequence[int] | None = None,
    *,
    alpha: float = ALPHA,
    seed: int = 0,
    draws: int = DRAWS,
) -> FamilyTest:
    """Test all C columns of differences [n, C] at once: the chance of any false claim is alpha.

    Each column's statistic is |Σεᵢδᵢ|/√Σδᵢ², an increasing function of the paired |t| (Σδ² does not
    change under flips), so a size with noisy seeds does not drown the others. All columns of a
    seed are flipped together, which keeps their dependence, that from a shared baseline included.

    `groups` [C] balances the family: columns of one group share its weight, and groups weigh the
    same, however many columns they have. A statistic is replaced by its tail share in its group,
    g(t) = #{ε : max over the group ≥ t}/#{ε}, and the step-down is on the least g: Westfall & Young
    1993, §2.5 (minP); Romano & Wolf 2010, *Balanced control of generalized error rates*, Ann. Stat.
    38. One group of areas and one of sizes give the area of a curve as much as all its sizes.

    A missing cell (NaN) adds nothing to its column; a column without any pair has p = NaN.
    """
    return _tested(differences, groups, alpha, seed, draws)


def _tested(
    differences: ArrayLike,
    groups: Sequence[int] | None,
    alpha: float | None,
    seed: int,
    draws: int,
) -> FamilyTest:
    """`family_test`, without levels where `alpha` is None."""
    array = as_array(differences, "differences", ndim=2)
    count = array.shape[1]
    if groups is not None and len(groups) != count:
        raise UsageError(f"groups: expected one for each of {count} columns, got {len(groups)}")
    array = array[~np.isnan(array).all(axis=1)] if count else array
    p, levels = np.full(count, math.nan), np.full(count, math.nan)
    tested = np.flatnonzero(~np.isnan(array).all(axis=0)) if len(array) else np.empty(0, np.intp)
    if len(tested):
        group = np.zeros(count, np.int64) if groups is None else np.asarray(groups, np.int64)
        group = group[tested]
        members = [np.flatnonzero(group == g) for g in np.unique(group)]
        flips = _flipped(array[:, tested], seed, draws)  # [flips, C]
        maxima = [flips[:, columns].max(axis=1) for columns in members]  # [flips] each
        highest = [np.sort(one) for one in maxima]
        p[tested] = _step_down(flips, members, highest)
        if alpha is not None:
            levels[tested] = _levels(flips, members, maxima, highest, alpha)
    return FamilyTest(p, levels)


def _flipped(array: Floats, seed: int, draws: int) -> Floats:
    """|Σεδ|/√Σδ² of every column [C] under every sign vector; the first row is as observed."""
    rows = np.nan_to_num(array, nan=0.0)
    rows[np.abs(rows) <= TIE] = 0.0
    rows = rows[np.lexsort(rows.T)]  # sampled signs must not depend on the order of the seeds
    scale = np.sqrt((rows**2).sum(axis=0))
    rows = rows / np.where(scale > 0, scale, 1.0)  # [n, C]; a column of ties stays 0
    blocks = [np.abs(signs @ rows) for signs in sign_vectors(len(rows), seed=seed, draws=draws)]
    return np.concatenate(blocks) if len(blocks) > 1 else blocks[0]


def _step_down(
    flips: Floats, members: Sequence[NDArray[np.intp]], highest: Sequence[Floats]
) -> Floats:
    """Adjusted p-values [C] from the statistics [flips, C] and each group's sorted maxima."""
    total, count = flips.shape
    observed = flips[0]
    tail = np.empty(count)  # how many sign vectors reach the column's statistic in its group
    # Within a group the columns stand in ascending order, so that the maximum over those that are
    # still to be tested is a running maximum; the least tail of all is rejected first.
    running, places, owner = [], np.empty(count, np.intp), np.empty(count, np.intp)
    for g, (columns, top) in enumerate(zip(members, highest, strict=True)):
        tail[columns] = total - np.searchsorted(top, observed[columns] - _SLACK)
        ascending = columns[np.argsort(observed[columns], kind="stable")]
        running.append(np.maximum.accumulate(flips[:, ascending], axis=1))
        places[ascending], owner[columns] = np.arange(1, len(columns) + 1), g
    left = [len(columns) for columns in members]
    p, worst = np.empty(count), 0.0
    for j in sorted(range(count), key=lambda j: (tail[j], -places[j])):
        reached = np.zeros(total, dtype=np.bool_)
        for g, top in enumerate(highest):
            if left[g]:
                alone = len(members) == 1
                bar = observed[j] - _SLACK if alone else _threshold(top, int(tail[j]))
                reached |= running[g][:, left[g] - 1] >= bar
        worst = max(worst, float(reached.mean()))
        p[j] = worst
        left[owner[j]] -= 1
    return p


def _threshold(top: Floats, tail: int) -> float:
    """The least statistic that at most `tail` of a group's sorted maxima reach."""
    if tail >= len(top):
        return -math.inf
    return float(top[len(top) - tail - 1]) + _SLACK


def _levels(
    flips: Floats,
    members: Sequence[NDArray[np.intp]],
    maxima: Sequence[Floats],
    highest: Sequence[Floats],
    alpha: float,
) -> Floats:
    """The share of sign vectors in which each column reaches the family's critical value [C]."""
    total = len(flips)
    least = np.full(total, total)  # of each sign vector, the least tail over the groups
    for one, top in zip(maxima, highest, strict=True):
        least = np.minimum(least, total - np.searchsorted(top, one - _SLACK))
    allowed = math.floor(alpha * total * (1 + 1e-12))
    # The greatest tail that at most `allowed` sign vectors reach.
    tail = int(np.sort(least)[allowed]) - 1 if allowed < total else total
    levels = np.empty(flips.shape[1])
    for columns, top in zip(members, highest, strict=True):
        levels[columns] = (flips[:, columns] >= _threshold(top, tail)).mean(axis=0)
    return levels


def attainable_p(n: int, *, draws: int = DRAWS) -> float:
    """The least two-sided p that `n` pairs can give: 2^(1−n), or 1/(draws + 1) if that is more."""
    if n < 1:
        return math.nan
    exact, draws = _mode(n, draws)
    return 2.0 ** (1 - n) if exact else max(2.0 ** (1 - n), 1 / (draws + 1))


def seeds_to_reach(alpha: float = ALPHA) -> int:
    """The least n at which a sign-flip test can reject at `alpha`: 6 for .05, 8 for .01.

    A family needs no more seeds for more columns: all are flipped together. Raises `UsageError`
    where sampling could not resolve so small a p.
    """
    if not 0 < alpha < 1:
        raise UsageError(f"alpha: expected a share between 0 and 1, got {alpha}")
    for n in range(1, EXACT_SEEDS + 2):
        if attainable_p(n) <= alpha * (1 + 1e-12):
            return n
    raise UsageError(f"alpha = {alpha}: p-values below 1e-5 would be needed")


def sign_vectors(n: int, *, seed: int = 0, draws: int = DRAWS) -> Iterator[Floats]:
    """Blocks of sign vectors [rows, n], the identity first: all up to 16 seeds, else sampled."""
    if n <= EXACT_SEEDS:
        yield _all_signs(n)
        return
    yield np.ones((1, n))
    rng = np.random.default_rng(np.random.SeedSequence([seed, n]))
    while draws:
        rows = min(draws, _BLOCK)
        signs = rng.integers(0, 2, size=(rows, n), dtype=np.int8).astype(np.float64)
        yield signs * 2.0 - 1.0
        draws -= rows


def _mode(n: int, draws: int) -> tuple[bool, int]:
    if draws < 1:
        raise UsageError(f"draws: expected at least 1 sampled sign vector, got {draws}")
    return (True, 0) if n <= EXACT_SEEDS else (False, draws)


@lru_cache(maxsize=EXACT_SEEDS)
def _all_signs(n: int) -> Floats:
    """Every sign vector whose first sign is +; |Σεδ| is the same for its mirror image."""
    codes = np.arange(1 << (n - 1), dtype=np.int64)[:, None]
    negative = ((codes >> np.arange(n)) & 1).astype(np.float64)  # [2^(n-1), n], last column 0
    signs: Floats = 1.0 - 2.0 * negative
    signs.setflags(write=False)
    return signs
