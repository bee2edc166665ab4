"""The four distribution functions that the statistics need, in plain Python and NumPy.

SciPy has them all. But to import `scipy.special` takes 0.2 s, about as long as all the rest of
`augbench report`, for some hundred values. The tests hold these against SciPy's.

DLMF is the NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["beta_quantile", "binomial_cdf", "noncentral_t_cdf", "t_quantile"]

_EXACT_TRIALS = 1000  # whose sum takes 0.1 ms
_PANEL_NODES = 16


@lru_cache(maxsize=4096)
def t_quantile(df: float, confidence: float) -> float:
    """The half-width of a two-sided interval, in standard errors: t(df, (1 + confidence)/2).

    t²/(df + t²) is Beta(½, df/2) (Johnson, Kotz & Balakrishnan 1995, ch. 28). For df from 1.
    """
    if not 0 < confidence < 1:
        return 0.0 if confidence <= 0 else math.inf
    inside, outside = _beta_solve(0.5, df / 2, confidence, 1 - confidence)
    return math.sqrt(df * inside / outside)


def beta_quantile(a: float, b: float, probability: float) -> float:
    """The quantile of Beta(a, b), for a and b from ½."""
    if not 0 < probability < 1:
        return 0.0 if probability <= 0 else 1.0
    return _beta_solve(a, b, probability, 1 - probability)[0]


def binomial_cdf(successes: int, trials: int) -> float:
    """P(X ≤ successes) for X ~ Binomial(trials, ½): I_½(trials − successes, successes + 1).

    DLMF 8.17.5. Up to 1000 trials the exact sum, correctly rounded.
    """
    if not 0 <= successes < trials:
        return 0.0 if successes < 0 else 1.0
    if trials > _EXACT_TRIALS:
        return math.exp(_log_tails(trials - successes, successes + 1, 0.5, 0.5)[0])
    ways = total = 1
    for k in range(1, successes + 1):
        ways = ways * (trials - k + 1) // k
        total += ways
    return total / (1 << trials)


def noncentral_t_cdf(t: float, df: float, noncentrality: float) -> float:
    """P(T ≤ t) for Student's t with `df` degrees of freedom, shifted by `noncentrality`.

    T = (Z + δ)/S with Z normal and S² = χ²(df)/df, so this is the mean of Φ(t·S − δ) over S
    (Johnson, Kotz & Balakrishnan 1995, ch. 31). It is integrated over v = log S, whose density
    √(df/π)·exp(−Δ(df/2) + df·(v − (e²ᵛ − 1)/2)) is smooth for every df (Δ: see `_stirling`).
    Good to 1e-10, absolute, for df from 1 to a million, whatever the noncentrality.
    """
    if t == 0 or math.isinf(t):
        return math.erfc(noncentrality * math.sqrt(0.5)) / 2 if t == 0 else float(t > 0)
    log_s, width = _panels(t, df, noncentrality)
    density = np.exp(df * (log_s - np.expm1(2 * log_s) / 2) - _stirling(df / 2))
    z = t * np.exp(log_s) - noncentrality
    step = list(map(math.erfc, (-math.sqrt(0.5) * z).tolist()))  # 2·Φ(z): DLMF 7.2.2
    return min(1.0, math.sqrt(df / math.pi) * float(width * density @ step) / 2)


def _panels(
    t: float, df: float, noncentrality: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights in log S, on panels that resolve the density and Φ's step from 0 to 1."""
    # Outside of low and high the density's exponent is below −30.
    r = 30 / df
    low, high = -math.sqrt(r) - r, math.log1p(math.sqrt(2 * r))
    edges = {high, *np.arange(low, high, 3 / math.sqrt(df + 3)).tolist()}
    for z in (-8, -4, 0, 4, 8):
        s = (noncentrality + z) / t
        if s > 0 and low < math.log(s) < high:
            edges.add(math.log(s))
    ends = np.array(sorted(edges))
    half = np.diff(ends)[:, None] / 2
    nodes, weights = _gauss_legendre()
    return (ends[:-1, None] + half * (1 + nodes)).ravel(), (half * weights).ravel()


@lru_cache(maxsize=1)
def _gauss_legendre() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss's nodes and weights on [−1, 1] (DLMF 3.5(v)): the roots of Pₙ, by Newton's method.

    `numpy.polynomial` has them too, for 10 ms of import.
    """
    n = _PANEL_NODES
    x = np.cos(np.pi * (np.arange(n) + 0.75) / (n + 0.5))
    for _ in range(6):
        before, p = np.ones(n), x
        for k in range(2, n + 1):  # DLMF 18.9.1
            before, p = p, ((2 * k - 1) * x * p - (k - 1) * before) / k
        slope = n * (before - x * p) / (1 - x * x)  # DLMF 18.9.17
        x = x - p / slope
    return x, 2 / ((1 - x * x) * slope**2)


def _beta_solve(a: float, b: float, lower: float, upper: float) -> tuple[float, float]:
    """x and 1 − x where I_x(a, b) = `lower` = 1 − `upper`; the lesser of the two to full precision.

    By Newton's method for the logarithm of the lesser tail as a function of log x, which is
    concave and far out nearly straight, within a bracket.
    """
    if lower > math.exp(_log_tails(a, b, 0.5, 0.5)[0]):  # then x is above ½: solve for 1 − x
        y, x = _beta_root(b, a, upper, lower)
        return x, y
    return _beta_root(a, b, lower, upper)


def _beta_root(a: float, b: float, lower: float, upper: float) -> tuple[float, float]:
    """x and 1 − x where I_x(a, b) = `lower` = 1 − `upper`, for an x up to about ½."""
    low, high, x = 1e-150, 0.75, min(a / (a + b), 0.5)
    tail, sign = (0, 1) if lower <= upper else (1, -1)
    target = math.log(min(lower, upper))
    for _ in range(200):
        tails = _log_tails(a, b, x, 1 - x)
        too_far = sign * (tails[tail] - target)
        step = -too_far * (1 - x) * math.exp(tails[tail] - tails[2])
        if abs(step) < 1e-12:  # the next one would be below rounding
            return x + x * step, 1 - x - x * step
        low, high = (low, x) if too_far > 0 else (x, high)
        x *= math.exp(min(step, 1.0))
        if not low < x < high:
            x = math.sqrt(low * high)
    return x, 1 - x


def _log_tails(a: float, b: float, x: float, y: float) -> tuple[float, float, float]:
    """The logarithms of I_x(a, b), of 1 − I_x(a, b) and of xᵃ·yᵇ/B(a, b), where y = 1 − x.

    DLMF 8.17.22 converges fast below about the mean, and 8.17.4 exchanges the tails above it.
    """
    weight = _log_weight(a, b, x, y)
    if x < (a + 1) / (a + b + 2):
        lower = weight - math.log(a * _fraction(a, b, x, y))
        return lower, math.log1p(-math.exp(lower)), weight
    upper = weight - math.log(b * _fraction(b, a, y, x))
    return math.log1p(-math.exp(upper)), upper, weight


def _fraction(a: float, b: float, x: float, y: float) -> float:
    """1 + d₁/(1 + d₂/(1 + …)) of DLMF 8.17.22, where y = 1 − x; for x below about the mean.

    Two terms at a time (its even part, DLMF 1.12(iv)), as 1 + d₂ₘ + d₂ₘ₊₁ can be written without
    the cancellation in it: near x = 1 it would leave 1e-12 of t at df = 1e6, and here all digits.
    By the modified method of Lentz: Thompson & Barnett 1986, J. Comput. Phys. 64.
    """
    value = above = (a * y - b * x + 1) / (a + 1)
    below = 0.0
    odd = -(a + b) * x / (a + 1)
    for m in range(1, 100_000):
        u = a + m
        even = m * (b - m) * x / ((u + m - 1) * (u + m))
        both = even + (u * (u * y - b * x + 2 * m + 1) + m * (m + 1)) / ((u + m) * (u + m + 1))
        above = both - odd * even / above or 1e-300
        below = 1 / (both - odd * even * below or 1e-300)
        value *= above * below
        if abs(above * below - 1) < 1e-15:
            break
        odd = -u * (u + b) * x / ((u + m) * (u + m + 1))
    return value


def _log_weight(a: float, b: float, x: float, y: float) -> float:
    """log(xᵃ·yᵇ/B(a, b)) where y = 1 − x.

    Written about the mean a/(a + b) with Stirling's formula, as the plain sum would cancel: each
    of its terms is some 1e6 where a + b is.
    """
    n, d = a + b, x * b - y * a
    power = a * (math.log1p(d / a) if 2 * d > -a else math.log(x * n / a))
    power += b * (math.log1p(-d / b) if 2 * d < b else math.log(y * n / b))
    stirling = _stirling(n) - _stirling(a) - _stirling(b)
    return power + stirling + math.log(a * (b / n) / (2 * math.pi)) / 2


@lru_cache(maxsize=1024)
def _stirling(z: float) -> float:
    """Δ(z) = log Γ(z) − (z − ½)·log z + z − ½·log 2π: DLMF 5.11.1, after 5.5.1 up to z ≥ 10."""
    total = 0.0
    while z < 10:
        total += (z + 0.5) * math.log1p(1 / z) - 1
        z += 1
    series = 0.0
    for term in (1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
        series = series / (z * z) + term
    return total + series / z
