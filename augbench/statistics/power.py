"""Power of the sign-flip test on normal differences, for planning a study.

The familiar power of the paired t test does not serve: with few seeds only some levels exist, and
where a t test finds an effect four times in five, sign flips of 6 seeds find it two times in three.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from augbench.errors import UsageError
from augbench.statistics._arrays import Floats
from augbench.statistics.intervals import t_quantile
from augbench.statistics.level import ALPHA
from augbench.statistics.signflip import seeds_to_reach, sign_vectors

__all__ = ["MOST_SEEDS", "detectable_effect", "seeds_for_power", "sign_flip_power"]

MOST_SEEDS = 1000
"""More seeds than this are no plan: `seeds_for_power` stops there."""
_SIMULATED_SEEDS = 10
"""Up to here power is simulated; above, the t test's is within .04 (docs/statistics.md)."""
_STUDIES = 1000  # simulated; the standard error of a power of .8 is then .013


def sign_flip_power(effect: float, n: int, *, alpha: float = ALPHA) -> float:
    """The chance that `n` seeds reject at `alpha`, two-sided, for a true effect/sd(δ) of `effect`.

    The differences are normal. Up to 10 seeds 1,000 studies are simulated, always the same ones;
    above, P(|T| > t(n−1, 1−alpha/2)) with T noncentral t, noncentrality effect·√n (Cohen 1988,
    *Statistical Power Analysis for the Behavioral Sciences*, ch. 2). 0 where `n` seeds cannot
    reach `alpha`.
    """
    _check(alpha=alpha)
    if not math.isfinite(effect):
        raise UsageError(f"effect: expected a finite number of standard deviations, got {effect}")
    if n < 2 or 2.0 ** (1 - n) > alpha * (1 + 1e-12):
        return 0.0
    simulate = n <= _SIMULATED_SEEDS
    return _simulated(abs(effect), n, alpha) if simulate else _t_power(effect, n, alpha)


@lru_cache(maxsize=1024)
def detectable_effect(n: int, *, power: float = 0.8, alpha: float = ALPHA) -> float:
    """The least effect/sd(δ) that `n` seeds find with probability `power`.

    NaN where `n` seeds cannot reach `alpha` at all. It depends on the noise and not on the effect
    that was observed, so it says what a study could have seen, without the circle of "observed
    power" (Hoenig & Heisey 2001, Am. Stat. 55).
    """
    _check(alpha=alpha, power=power)
    if sign_flip_power(1e3, n, alpha=alpha) < power:
        return math.nan
    low, high = 0.0, 1.0
    while sign_flip_power(high, n, alpha=alpha) < power:
        low, high = high, high * 2
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        if sign_flip_power(middle, n, alpha=alpha) < power:
            low = middle
        else:
            high = middle
    return high


def seeds_for_power(effect: float, *, power: float = 0.8, alpha: float = ALPHA) -> int | None:
    """The least n whose `sign_flip_power` is at least `power`; None above `MOST_SEEDS`."""
    _check(alpha=alpha, power=power)
    near = _t_power(effect, _SIMULATED_SEEDS, alpha) > power - 0.1  # else not worth simulating
    if near and sign_flip_power(effect, _SIMULATED_SEEDS, alpha=alpha) >= power:
        enough = (
            n
            for n in range(seeds_to_reach(alpha), _SIMULATED_SEEDS)
            if sign_flip_power(effect, n, alpha=alpha) >= power
        )
        return next(enough, _SIMULATED_SEEDS)
    low, high = _SIMULATED_SEEDS, MOST_SEEDS
    if sign_flip_power(effect, high, alpha=alpha) < power:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if sign_flip_power(effect, middle, alpha=alpha) < power:
            low = middle
        else:
            high = middle
    return high


def _t_power(effect: float, n: int, alpha: float) -> float:
    from scipy.special import nctdtr  # late, as in `t_quantile`

    critical, shift = t_quantile(n - 1, 1 - alpha), abs(effect) * math.sqrt(n)
    if shift > critical + 37:  # the distribution function underflows there
        return 1.0
    below, left = float(nctdtr(n - 1, shift, critical)), float(nctdtr(n - 1, shift, -critical))
    return min(1.0, 1 - below + (left if math.isfinite(left) else 0.0))


def _simulated(effect: float, n: int, alpha: float) -> float:
    flipped, signs, observed = _studies(n)
    reached = np.abs(flipped + effect * signs) >= np.abs(observed + effect * n) - 1e-9
    return float((reached.mean(axis=0) <= alpha * (1 + 1e-12)).mean())


@lru_cache(maxsize=_SIMULATED_SEEDS)
def _studies(n: int) -> tuple[Floats, Floats, NDArray[np.float64]]:
    """Σεz of each sign vector and study [2^(n-1), studies], Σε [2^(n-1), 1], Σz [studies].

    Σε(z + d) = Σεz + d·Σε, so another effect d needs no new products.
    """
    noise = np.random.default_rng(n).standard_normal((n, _STUDIES))
    (signs,) = sign_vectors(n)
    return signs @ noise, signs.sum(axis=1, keepdims=True), noise.sum(axis=0)


def _check(*, alpha: float, power: float | None = None) -> None:
    if not 0 < alpha < 1:
        raise UsageError(f"alpha: expected a share between 0 and 1, got {alpha}")
    if power is not None and not alpha < power < 1:
        raise UsageError(f"power: expected a share between alpha = {alpha} and 1, got {power}")
