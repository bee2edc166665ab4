"""The gain from pairing the arms by seed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from augbench.statistics._arrays import TIE, as_pair, split_missing

__all__ = ["Pairing", "pairing"]


@dataclass(frozen=True)
class Pairing:
    """The likeness of the two arms of a seed.

    `correlation` is Pearson's, in [−1, 1]. `variance_ratio` is Var(δ)/(Var y_a + Var y_0): 1 for
    independent arms, below 1 where pairing helped; 1/variance_ratio is how many times more seeds
    an unpaired study would need for the same interval. NaN below three seeds (with two, the
    correlation is always ±1) or where an arm does not vary.
    """

    correlation: float
    variance_ratio: float
    n: int
    dropped: tuple[int, ...] = ()


def pairing(treated: ArrayLike, baseline: ArrayLike) -> Pairing:
    """Diagnose common random numbers for two arms [n] with the same seeds.

    Var(δ) = Var y_a + Var y_0 − 2 Cov(y_a, y_0): Law, *Simulation Modeling and Analysis*, on
    common random numbers; Bouthillier et al. 2021, arXiv 2103.03098, on sources of variance.
    Raises `UsageError` for arms of different shapes.
    """
    a, b = as_pair(treated, baseline, ndim=1)
    kept, dropped = split_missing(np.stack([a, b], axis=1))  # [n, 2]
    n = len(kept)
    if n < 3:
        return Pairing(math.nan, math.nan, n, dropped)
    (var_a, cov), (_, var_b) = np.cov(kept, rowvar=False, ddof=1)
    if var_a + var_b <= TIE**2:
        return Pairing(math.nan, math.nan, n, dropped)
    ratio = max(0.0, float((var_a + var_b - 2 * cov) / (var_a + var_b)))
    if min(var_a, var_b) <= TIE**2:
        return Pairing(math.nan, ratio, n, dropped)
    correlation = float(np.clip(cov / math.sqrt(var_a * var_b), -1, 1))
    return Pairing(correlation, ratio, n, dropped)
