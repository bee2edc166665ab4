"""Exact sign-flip tests of paired differences, for one endpoint and for a whole curve.

The null hypothesis: the two arms of a seed are exchangeable, so δᵢ and −δᵢ are equally likely.
Fisher 1935, *The Design of Experiments*, §21; Lehmann & Romano, *Testing Statistical Hypotheses*,
ch. 15 (randomization tests). No distribution is assumed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics._arrays import TIE, Floats, as_array, split_missing

__all__ = ["SignFlip", "attainable_p", "seeds_to_reach", "sign_flip", "step_down_max_t"]

EXACT_SEEDS = 16
"""Up to here all sign vectors are enumerated: half of 2^16, the other half being their mirror."""
DRAWS = 99_999
"""Sampled sign vectors above it: the least p is then 1e-5."""
_BLOCK = 1 << 15  # rows of sign vectors held at once: 4 MB at 16 seeds


@dataclass(frozen=True)
class SignFlip:
    """A two-sided p-value over `n` seeds; `draws` sign vectors were sampled where not `exact`."""

    p: float
    n: int
    exact: bool
    draws: int
    dropped: tuple[int, ...] = ()


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
    observed = abs(float(kept.sum())) - _slack(kept)
    count = rows = 0
    for signs in _sign_blocks(len(kept), seed, draws):
        count += int((np.abs(signs @ kept) >= observed).sum())  # [rows]
        rows += len(signs)
    p = count / rows if exact else (count + 1) / (rows + 1)
    return SignFlip(p, len(kept), exact, draws, dropped)


def step_down_max_t(differences: ArrayLike, *, seed: int = 0, draws: int = DRAWS) -> Floats:
    """Where is the difference? Adjusted p-values [K] for differences [n, K] over K sizes.

    Westfall & Young 1993, *Resampling-Based Multiple Testing*, algorithm 4.1 (step-down maxT;
    Ge, Dudoit & Speed 2003, Test 12, box 2), with a seed's whole vector flipped at once, which
    keeps the dependence between sizes. The family-wise error is controlled in the strong sense:
    whatever the differences at other sizes.

    The statistic is |Σεᵢδᵢₖ|/√Σᵢδᵢₖ², an increasing function of the paired |t| (Σδ² does not change
    under flips), so a size with noisy seeds does not drown the others. A missing cell (NaN) adds
    nothing to its size; a size without any pair has p = NaN.
    """
    array = as_array(differences, "differences", ndim=2)
    array = array[~np.isnan(array).all(axis=1)] if array.shape[1] else array
    pvalues = np.full(array.shape[1], math.nan)
    tested = np.flatnonzero(~np.isnan(array).all(axis=0)) if len(array) else np.empty(0, np.intp)
    if not len(tested):
        return pvalues
    rows = np.nan_to_num(array[:, tested], nan=0.0)
    rows[np.abs(rows) <= TIE] = 0.0
    rows = rows[np.lexsort(rows.T)]
    scale = np.sqrt((rows**2).sum(axis=0))
    rows = rows / np.where(scale > 0, scale, 1.0)  # [n, K]; a column of ties stays 0
    observed = np.abs(rows.sum(axis=0))
    order = np.argsort(observed, kind="stable")  # ascending, so that maxima accumulate
    rows, threshold = rows[:, order], observed[order] - 1e-10
    exact, draws = _mode(len(rows), draws)
    counts, total = np.zeros(len(tested), dtype=np.int64), 0
    for signs in _sign_blocks(len(rows), seed, draws):
        flipped = np.abs(signs @ rows)  # [rows, K]
        np.maximum.accumulate(flipped, axis=1, out=flipped)
        counts += (flipped >= threshold).sum(axis=0)
        total += len(signs)
    raw = counts / total if exact else (counts + 1) / (total + 1)
    adjusted = np.maximum.accumulate(raw[::-1])[::-1]  # the most extreme size has the least p
    pvalues[tested[order]] = adjusted
    return pvalues


def attainable_p(n: int, *, draws: int = DRAWS) -> float:
    """The least two-sided p that `n` pairs can give: 2^(1−n), or 1/(draws + 1) if that is more."""
    if n < 1:
        return math.nan
    exact, draws = _mode(n, draws)
    return 2.0 ** (1 - n) if exact else max(2.0 ** (1 - n), 1 / (draws + 1))


def seeds_to_reach(comparisons: int = 1, *, alpha: float = 0.05) -> int:
    """The least n at which Holm over `comparisons` tests can reject: comparisons · 2^(1−n) ≤ alpha.

    For alpha = .05 and 1, 2, 7, 14 comparisons: 6, 7, 9, 10. Raises `UsageError` where sampling
    could not resolve so small a p (above about 5,000 comparisons).
    """
    if comparisons < 1 or not 0 < alpha < 1:
        raise UsageError(
            f"expected comparisons ≥ 1 and 0 < alpha < 1, got {comparisons} and {alpha}"
        )
    for n in range(1, EXACT_SEEDS + 2):
        if comparisons * attainable_p(n) <= alpha * (1 + 1e-12):
            return n
    raise UsageError(f"{comparisons} comparisons at alpha = {alpha}: p-values below 1e-5 needed")


def _mode(n: int, draws: int) -> tuple[bool, int]:
    if draws < 1:
        raise UsageError(f"draws: expected at least 1 sampled sign vector, got {draws}")
    return (True, 0) if n <= EXACT_SEEDS else (False, draws)


def _slack(values: Floats) -> float:
    return float(1e-10 * np.abs(values).sum()) + TIE


def _sign_blocks(n: int, seed: int, draws: int) -> Iterator[Floats]:
    if n <= EXACT_SEEDS:
        yield _all_signs(n)
        return
    rng = np.random.default_rng(np.random.SeedSequence([seed, n]))
    while draws:
        rows = min(draws, _BLOCK)
        signs = rng.integers(0, 2, size=(rows, n), dtype=np.int8).astype(np.float64)
        yield signs * 2.0 - 1.0
        draws -= rows


@lru_cache(maxsize=EXACT_SEEDS)
def _all_signs(n: int) -> Floats:
    """Every sign vector whose first sign is +; |Σεδ| is the same for its mirror image."""
    codes = np.arange(1 << (n - 1), dtype=np.int64)[:, None]
    negative = ((codes >> np.arange(n)) & 1).astype(np.float64)  # [2^(n-1), n], last column 0
    signs: Floats = 1.0 - 2.0 * negative
    signs.setflags(write=False)
    return signs
