"""The noise of paired differences over seeds, from a pilot: what the power of a study hangs on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics._arrays import Floats, as_array, as_confidence, as_sizes
from augbench.statistics.curves import aulc

__all__ = ["FEWEST_SEEDS", "PairedNoise", "paired_noise"]

FEWEST_SEEDS = 3
"""With fewer, a standard deviation may be off by a factor of thirty."""
_MOST_ALIKE = 0.95  # the greatest correlation of two arms' differences: they are never one arm


@dataclass(frozen=True, eq=False)  # known by identity: an array has no single truth
class PairedNoise:
    """How differences δ = arm − baseline vary over seeds, the same for every arm.

    `covariance` is that of δ at K `sizes` [K, K], in units of the score squared; `between_arms`
    the correlation of two arms' differences, which share the baseline. Estimated from `seeds`
    seeds of `arms` arms.
    """

    sizes: tuple[int, ...]
    covariance: Floats
    between_arms: float
    seeds: int
    arms: int

    @property
    def sd_by_size(self) -> Floats:
        """The standard deviation of δ at each size [K]."""
        sd: Floats = np.sqrt(self.covariance.diagonal())
        return sd

    @property
    def sd_of_area(self) -> float:
        """The standard deviation of ΔAULC, the average of δ over the log2 axis of sizes."""
        weights = aulc(np.eye(len(self.sizes)), self.sizes)  # [K]
        return math.sqrt(max(0.0, float(weights @ self.covariance @ weights)))

    def uncertainty(self, confidence: float = 0.95) -> tuple[float, float]:
        """The range that the true standard deviation lies in, as factors of the estimated one.

        √(ν/χ²) with ν = seeds − 1 degrees of freedom, as for one arm of normal noise: arms share
        their seeds and their baseline, so more of them are counted as none.
        """
        from scipy.special import chdtri  # late, as in `t_quantile`

        free, tail = self.seeds - 1, (1 - as_confidence(confidence)) / 2
        low, high = (float(chdtri(free, share)) for share in (tail, 1 - tail))
        return math.sqrt(free / low), math.sqrt(free / high)

    def at(self, sizes: Sequence[int]) -> PairedNoise:
        """The noise at other sizes: interpolated on the log2 axis, the outermost beyond it."""
        wanted = tuple(int(size) for size in as_sizes(sizes))
        if wanted == self.sizes:
            return self
        known = np.log2(self.sizes)
        # Weights of the known sizes for each wanted one [wanted, K].
        share = np.stack(
            [np.interp(np.log2(wanted), known, row) for row in np.eye(len(known))], axis=1
        )
        sd = share @ self.sd_by_size
        scale = np.where(self.sd_by_size > 0, self.sd_by_size, 1.0)
        alike = share @ (self.covariance / np.outer(scale, scale)) @ share.T
        np.fill_diagonal(alike, np.where(sd > 0, 1.0, 0.0))  # an average of two varies less
        return PairedNoise(
            wanted, alike * np.outer(sd, sd), self.between_arms, self.seeds, self.arms
        )

    def differences(self, rng: np.random.Generator, *, studies: int, n: int, arms: int) -> Floats:
        """Normal differences without any effect [studies, n, arms, K], drawn from `rng`."""
        values, vectors = np.linalg.eigh(self.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))  # [K, K]
        shared = rng.standard_normal((studies, n, 1, len(self.sizes)))
        own = rng.standard_normal((studies, n, arms, len(self.sizes)))
        mixed = math.sqrt(self.between_arms) * shared + math.sqrt(1 - self.between_arms) * own
        drawn: Floats = mixed @ root.T
        return drawn


def paired_noise(
    scores: Mapping[str, ArrayLike], sizes: Sequence[int], *, baseline: str = "none"
) -> PairedNoise:
    """Estimate the noise of a design from a pilot's `scores[arm]` [n, K], the same n seeds of all.

    The covariance is the mean of those of all arms (ddof = 1) over the seeds that have every size
    of all arms. Raises `UsageError` without an arm to compare, or with fewer than 3 such seeds.
    """
    whole = tuple(int(size) for size in as_sizes(sizes))
    if baseline not in scores or len(scores) < 2:
        raise UsageError(
            f"scores: expected {baseline!r} and an arm to compare with it, got "
            f"{', '.join(map(repr, scores)) or 'none'}"
        )
    arms = {name: as_array(values, f"scores[{name!r}]", ndim=2) for name, values in scores.items()}
    plain = arms.pop(baseline)
    if {arm.shape for arm in arms.values()} != {(len(plain), len(whole))} or (
        plain.shape != (len(plain), len(whole))
    ):
        raise UsageError(f"scores: expected [seeds, {len(whole)}] of every arm, the same seeds")
    delta = np.stack([arm - plain for arm in arms.values()], axis=1)  # [n, arms, K]
    delta = delta[~np.isnan(delta).any(axis=(1, 2))]
    n, count, _ = delta.shape
    if n < FEWEST_SEEDS:
        raise UsageError(
            f"{n} seed{'s' * (n != 1)} of the pilot {'has' if n == 1 else 'have'} every size of "
            f"every arm; noise takes {FEWEST_SEEDS} or more"
        )
    centred = delta - delta.mean(axis=0)
    covariance = np.einsum("iak,ial->kl", centred, centred) / (n - 1) / count
    between, own = 0.5, float(np.trace(covariance))  # independent arms of equal noise share half
    if count > 1 and own > 0:
        total = centred.sum(axis=1)  # [n, K]
        crossed = (float((total**2).sum()) / (n - 1) - count * own) / (count * (count - 1))
        between = min(_MOST_ALIKE, max(0.0, crossed / own))
    return PairedNoise(whole, covariance, between, n, count)
