"""How many seeds, for how small an effect? Power of the paired t test."""

from __future__ import annotations

import math
from functools import lru_cache

from augbench.errors import UsageError
from augbench.statistics._special import noncentral_t_cdf, t_quantile

__all__ = ["detectable_effect", "paired_t_power", "seeds_for_power"]

_MOST_SEEDS = 1_000_000


def paired_t_power(effect: float, n: int, *, alpha: float = 0.05) -> float:
    """The chance that `n` seeds reject at `alpha`, two-sided, for a true effect/sd(δ) of `effect`.

    P(|T| > t(n−1, 1−alpha/2)) with T noncentral t, noncentrality effect·√n: Cohen 1988,
    *Statistical Power Analysis for the Behavioral Sciences*, ch. 2.
    The sign-flip test needs about as many seeds, and at least `seeds_to_reach`. 0 below two seeds.
    """
    _check_alpha(alpha)
    if not math.isfinite(effect):
        raise UsageError(f"effect: expected a finite number of standard deviations, got {effect}")
    if n < 2:
        return 0.0
    critical, shift = t_quantile(n - 1, 1 - alpha), abs(effect) * math.sqrt(n)
    below, left = (noncentral_t_cdf(t, n - 1, shift) for t in (critical, -critical))
    return min(1.0, 1 - below + left)


def seeds_for_power(effect: float, *, power: float = 0.8, alpha: float = 0.05) -> int:
    """The least n whose `paired_t_power` is at least `power`; at effect 1, .75, .5: 10, 16, 34.

    Raises `UsageError` for an effect of 0, which no number of seeds detects.
    """
    _check_power(power, alpha)
    low, high = 1, 2
    while paired_t_power(effect, high, alpha=alpha) < power:
        low, high = high, high * 2
        if high > _MOST_SEEDS:
            raise UsageError(
                f"effect: {effect} standard deviations would need over {_MOST_SEEDS:,} seeds"
            )
    while high - low > 1:
        middle = (low + high) // 2
        if paired_t_power(effect, middle, alpha=alpha) < power:
            low = middle
        else:
            high = middle
    return high


@lru_cache(maxsize=1024)
def detectable_effect(n: int, *, power: float = 0.8, alpha: float = 0.05) -> float:
    """The least effect/sd(δ) that `n` seeds find with probability `power`; NaN below two seeds.

    It depends on the noise and not on the effect that was observed, so it says what a study could
    have seen, without the circle of "observed power" (Hoenig & Heisey 2001, Am. Stat. 55).
    """
    _check_power(power, alpha)
    if n < 2:
        return math.nan
    low, high = 0.0, 1.0
    while paired_t_power(high, n, alpha=alpha) < power:
        low, high = high, high * 2
    for _ in range(40):
        middle = (low + high) / 2
        if paired_t_power(middle, n, alpha=alpha) < power:
            low = middle
        else:
            high = middle
    return high


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise UsageError(f"alpha: expected a share between 0 and 1, got {alpha}")


def _check_power(power: float, alpha: float) -> None:
    _check_alpha(alpha)
    if not alpha < power < 1:
        raise UsageError(f"power: expected a share between alpha = {alpha} and 1, got {power}")
