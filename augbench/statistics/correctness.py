"""Intervals for new test images, from the correctness of each image (packed bits).

Both arms answer the same test images, so the noise of the test set is shared: most of it cancels in
a difference between arms, and none of it in an accuracy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augbench.errors import UsageError
from augbench.statistics._arrays import Floats, as_array, as_confidence
from augbench.statistics.intervals import t_quantile

__all__ = ["TwoWayInterval", "two_way_interval", "unpack"]


@dataclass(frozen=True)
class TwoWayInterval:
    """A difference of accuracies for new seeds *and* new test images."""

    difference: float
    lower: float
    upper: float
    df: float
    seeds: int
    images: int


def unpack(packed: bytes | NDArray[np.uint8], images: int) -> NDArray[np.bool_]:
    """The booleans [images] in packed bits, the first image in the highest bit.

    Raises `UsageError` where the length does not fit.
    """
    data = np.frombuffer(packed, np.uint8) if isinstance(packed, bytes) else packed
    if images < 1 or data.ndim != 1 or len(data) != -(-images // 8):
        raise UsageError(
            f"packed: expected {-(-images // 8)} bytes for {images} images, got {data.size}"
        )
    return np.unpackbits(data, count=images).astype(np.bool_)


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
    d = np.subtract(*_same_images(treated, baseline, ndim=2), dtype=np.float64)  # [n, N]
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


def _same_images(
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
