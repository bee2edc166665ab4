"""Tests of a mean paired difference where the arms are not interchangeable: does any one hold 5 %?

One endpoint, equal means. Accuracies have a shared luck; the arm varies a third as much as the
baseline, or the baseline collapses in one seed of ten.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import stdtr

from augbench.statistics.signflip import sign_vectors

KINDS = ("interchangeable, skewed", "both collapse", "arm varies less, normal",
         "arm varies less, skewed", "baseline collapses")  # fmt: skip
Rng = np.random.Generator


def study(rng: Rng, kind: str, studies: int, n: int) -> np.ndarray:
    """Accuracies [studies, n, 2] of baseline and arm, with equal means."""
    luck = 0.8 + 0.02 * rng.standard_normal((studies, n, 1))
    skewed = "skewed" in kind
    shape = (studies, n, 2)
    noise = 1 - rng.exponential(size=shape) if skewed else rng.standard_normal(shape)
    y = luck + 0.03 * noise * ([1, 1 / 3] if "less" in kind else [1, 1])
    rates = {"both collapse": [0.1, 0.1], "baseline collapses": [0.1, 0.0]}.get(kind, [0.0, 0.0])
    y -= (max(rates) - np.array(rates)) * 0.7
    return np.where(rng.random(shape) < rates, 0.1, y)


def sign_flip(d: np.ndarray) -> np.ndarray:
    """p-values of differences [studies, n]; equal to the sign flip of the studentised mean."""
    (signs,) = sign_vectors(d.shape[1]) if d.shape[1] <= 16 else (_sampled(d.shape[1]),)
    return (np.abs(d @ signs.T) >= np.abs(d.sum(axis=1))[:, None] - 1e-10).mean(axis=1)


def t_test(d: np.ndarray) -> np.ndarray:
    n = d.shape[1]
    return 2 * stdtr(n - 1, -np.abs(_t(d)))


def johnson(d: np.ndarray) -> np.ndarray:
    """Sign flips of Johnson's (1978, JASA 73) t, which corrects for skewness."""
    (signs,) = sign_vectors(d.shape[1]) if d.shape[1] <= 16 else (_sampled(d.shape[1]),)
    signs = signs[:1024]
    observed = np.abs(_johnson(d))
    reached = [np.abs(_johnson(d * row)) >= observed - 1e-10 for row in signs]
    return np.mean(reached, axis=0)


def bootstrap_t(d: np.ndarray, draws: int = 499) -> np.ndarray:
    """The percentile t bootstrap of the mean."""
    rng, n = np.random.default_rng(5), d.shape[1]
    centred, observed, count = d - d.mean(axis=1, keepdims=True), np.abs(_t(d)), 1
    for _ in range(draws):
        one = np.take_along_axis(centred, rng.integers(n, size=d.shape), axis=1)
        count = count + (np.abs(_t(one)) >= observed)
    return count / (draws + 1)


def permuted_welch(y: np.ndarray, draws: int = 499) -> np.ndarray:
    """Janssen's (1997) permutation of the studentised difference, the arms taken as unpaired."""
    rng, n = np.random.default_rng(6), y.shape[1]
    pooled = np.concatenate([y[..., 0], y[..., 1]], axis=1)
    observed, count = np.abs(_welch(pooled)), 1
    for _ in range(draws):
        count = count + (np.abs(_welch(pooled[:, rng.permutation(2 * n)])) >= observed - 1e-10)
    return count / (draws + 1)


def _t(d: np.ndarray) -> np.ndarray:
    return d.mean(axis=1) / np.maximum(d.std(axis=1, ddof=1), 1e-12) * np.sqrt(d.shape[1])


def _johnson(d: np.ndarray) -> np.ndarray:
    n, mean, variance = d.shape[1], d.mean(axis=1), np.maximum(d.var(axis=1, ddof=1), 1e-20)
    third = ((d - mean[:, None]) ** 3).mean(axis=1)
    shifted = mean + third / (6 * n * variance) + third * mean**2 / (3 * variance**2)
    return shifted / np.sqrt(variance / n)


def _welch(pooled: np.ndarray) -> np.ndarray:
    a, b = np.split(pooled, 2, axis=1)
    variance = a.var(axis=1, ddof=1) + b.var(axis=1, ddof=1)
    return (b.mean(axis=1) - a.mean(axis=1)) / np.sqrt(np.maximum(variance, 1e-20) / a.shape[1])


def _sampled(n: int) -> np.ndarray:
    return np.vstack([np.ones(n), np.random.default_rng(4).integers(0, 2, (999, n)) * 2.0 - 1])


def table(studies: int) -> Iterator[str]:
    """The share of studies that each test rejects at 5 %, as Markdown."""
    yield "| equal means | n | sign flip | t | Johnson | bootstrap t | unpaired permutation |"
    yield "| --- |" + " --- |" * 6
    for kind in KINDS:
        for n in (6, 8, 20):
            y = study(np.random.default_rng([7, n]), kind, studies, n)
            d = y[..., 1] - y[..., 0]
            p = (sign_flip(d), t_test(d), johnson(d), bootstrap_t(d), permuted_welch(y))
            shares = " | ".join(f"{(one <= 0.05 + 1e-12).mean():.3f}" for one in p)
            yield f"| {kind} | {n} | {shares} |"
