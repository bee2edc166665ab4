"""Which images were right? Analyses of per-image correctness, kept as packed bits.

Both arms answer the same test images, so a test set's luck is shared: it cancels in a difference
between arms far more than √(p(1−p)/N) suggests, and cancels nothing in the accuracy itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augbench.errors import UsageError
from augbench.statistics._arrays import Floats, as_array, as_confidence
from augbench.statistics._special import binomial_cdf, t_quantile

__all__ = [
    "Bootstrap",
    "McNemar",
    "TwoWayInterval",
    "mcnemar",
    "noise_of_test_set",
    "pack",
    "seed_image_bootstrap",
    "two_way_interval",
    "unpack",
]


@dataclass(frozen=True)
class McNemar:
    """Discordant images of two models: `gained` right only when treated, `lost` only before."""

    gained: int
    lost: int
    images: int
    difference: float
    p: float


@dataclass(frozen=True)
class TwoWayInterval:
    """A difference of accuracies for new seeds *and* new test images."""

    difference: float
    lower: float
    upper: float
    df: float
    seeds: int
    images: int


@dataclass(frozen=True)
class Bootstrap:
    """A bootstrap over seeds and images at once: its standard error and percentile interval."""

    difference: float
    se: float
    lower: float
    upper: float
    draws: int


def pack(correct: ArrayLike) -> bytes:
    """N booleans as ⌈N/8⌉ bytes, the first image in the highest bit."""
    return np.packbits(_booleans(correct, ndim=1)).tobytes()


def unpack(packed: bytes | NDArray[np.uint8], images: int) -> NDArray[np.bool_]:
    """The correctness [images] of `pack`. Raises `UsageError` where the length does not fit."""
    data = np.frombuffer(packed, np.uint8) if isinstance(packed, bytes) else packed
    if images < 1 or data.ndim != 1 or len(data) != -(-images // 8):
        raise UsageError(
            f"packed: expected {-(-images // 8)} bytes for {images} images, got {data.size}"
        )
    return np.unpackbits(data, count=images).astype(np.bool_)


def noise_of_test_set(accuracy: float, images: int) -> float:
    """√(p(1−p)/N): how far a test set of `images` throws an accuracy `p`, one standard error.

    It does not shrink with more seeds, and the arms share it: an interval over seeds holds for
    these test images only.
    """
    if not 0 <= accuracy <= 1 or images < 1:
        raise UsageError(
            f"expected an accuracy in [0, 1] and at least 1 image, got {accuracy}, {images}"
        )
    return math.sqrt(accuracy * (1 - accuracy) / images)


def mcnemar(treated: ArrayLike, baseline: ArrayLike) -> McNemar:
    """The exact test of two models on the same N images; both arguments are booleans [N].

    Two-sided binomial p of min(gained, lost) among gained + lost at ½: McNemar 1947,
    Psychometrika 12; Dietterich 1998, Neural Computation 10. It speaks of two trained
    models, not of a method: seeds must not be pooled into it.
    """
    a, b = _two(treated, baseline, ndim=1)
    gained, lost = int((a & ~b).sum()), int((b & ~a).sum())
    p = min(1.0, 2 * binomial_cdf(min(gained, lost), gained + lost)) if gained != lost else 1.0
    return McNemar(gained, lost, len(a), (gained - lost) / len(a), p)


def two_way_interval(
    treated: ArrayLike, baseline: ArrayLike, *, confidence: float = 0.95
) -> TwoWayInterval:
    """An interval for the paired difference that holds for new seeds and new images, from [n, N].

    With dᵢⱼ ∈ {−1, 0, 1} and the two-way mean squares of seeds, images and the rest (n − 1, N − 1,
    and (n − 1)(N − 1) degrees of freedom), Var = (MS_seed + max(MS_image − MS_rest, 0))/(nN), with
    Hillis' degrees of freedom (n − 1)·((MS_seed + max(…, 0))/MS_seed)²: Hillis 2007, Statistics in
    Medicine 26, on readers and cases; here seeds and images. These can be optimistic at three seeds
    (see the simulations), so the interval is never narrower than the t interval over seeds, which
    holds for these images only. NaN below two seeds or images.
    """
    confidence = as_confidence(confidence)
    d = np.subtract(*_two(treated, baseline, ndim=2), dtype=np.float64)  # [n, N]
    n, images = d.shape
    mean = float(d.mean())
    if n < 2 or images < 2:
        return TwoWayInterval(mean, math.nan, math.nan, math.nan, n, images)
    by_seed, by_image = d.mean(axis=1), d.mean(axis=0)
    ss_seed = images * float(((by_seed - mean) ** 2).sum())
    ss_image = n * float(((by_image - mean) ** 2).sum())
    ss_rest = max(0.0, float(((d - mean) ** 2).sum()) - ss_seed - ss_image)
    ms_seed, ms_image = ss_seed / (n - 1), ss_image / (images - 1)
    extra = max(0.0, ms_image - ss_rest / ((n - 1) * (images - 1)))
    df = (n - 1) * ((ms_seed + extra) / ms_seed) ** 2 if ms_seed > 0 else math.inf
    df = min(df, 1e6)  # Student's t is normal long before
    half = max(
        t_quantile(df, confidence) * math.sqrt((ms_seed + extra) / (n * images)),
        t_quantile(n - 1, confidence) * math.sqrt(ms_seed / (n * images)),
    )
    return TwoWayInterval(mean, mean - half, mean + half, df, n, images)


def seed_image_bootstrap(
    treated: ArrayLike,
    baseline: ArrayLike,
    *,
    draws: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Bootstrap:
    """Resample seeds and images independently, both arms together; arguments are [n, N].

    The pigeonhole bootstrap: Owen 2007, Annals of Applied Statistics 1(2). Its standard error is
    slightly too large; its percentile interval is too narrow for few seeds, like every percentile
    bootstrap: below about 20 seeds prefer `two_way_interval`. NaN interval below two seeds.
    """
    tail = (1 - as_confidence(confidence)) / 2
    d = np.subtract(*_two(treated, baseline, ndim=2), dtype=np.float64)  # [n, N]
    n, images = d.shape
    if draws < 2:
        raise UsageError(f"draws: expected at least 2, got {draws}")
    mean = float(d.mean())
    if n < 2:
        return Bootstrap(mean, math.nan, math.nan, math.nan, draws)
    rng = np.random.default_rng(np.random.SeedSequence([seed, n, images]))
    means = np.empty(draws)
    for i in range(draws):
        by_image = d[rng.integers(n, size=n)].sum(axis=0)  # [N]
        means[i] = by_image[rng.integers(images, size=images)].sum() / (n * images)
    lower, upper = np.quantile(means, [tail, 1 - tail])
    return Bootstrap(mean, float(means.std(ddof=1)), float(lower), float(upper), draws)


def _two(
    treated: ArrayLike, baseline: ArrayLike, *, ndim: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    arms = _booleans(treated, ndim=ndim), _booleans(baseline, ndim=ndim)
    if arms[0].shape != arms[1].shape or not arms[0].size:
        raise UsageError(
            f"expected both arms on the same images, got {arms[0].shape} and {arms[1].shape}"
        )
    return arms


def _booleans(correct: ArrayLike, *, ndim: int) -> NDArray[np.bool_]:
    array: Floats | NDArray[np.bool_] = np.asarray(correct)
    if array.dtype != np.bool_:
        array = as_array(correct, "correct", ndim=ndim)
        if not np.isin(array, (0, 1)).all():
            raise UsageError("correct: expected True or False (or 1, 0) for each image")
    if array.ndim != ndim:
        raise UsageError(f"correct: expected {ndim} axes, got shape {array.shape}")
    return array.astype(np.bool_)
