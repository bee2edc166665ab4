"""Power of a whole study: of the family of sign-flip tests that a report makes, by simulation.

`sign_flip_power` is of one test by itself. A report tests every size and area of all arms as one
family, and there an effect must stand out from the others' luck as well: the more arms, the larger
it has to be. The seeds that any p-value takes do not change: the family's least p is 2^(1−n).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from augbench.errors import UsageError
from augbench.statistics._arrays import Floats
from augbench.statistics.curves import aulc
from augbench.statistics.level import ALPHA
from augbench.statistics.paired_noise import PairedNoise
from augbench.statistics.signflip import seeds_to_reach, sign_vectors

__all__ = ["StudyPower", "study_power", "study_seeds"]

MOST_SEEDS = 500
"""More seeds than this are no plan: `study_seeds` stops there."""
_STUDIES = 400  # simulated; the standard error of a power of .8 is then .02
_SIMULATED_SEEDS = 60  # with more, the least effect falls as 1/√n
_EXACT_SEEDS = 10  # all 2^9 sign vectors; with more seeds as many are sampled
_VECTORS = 1 << (_EXACT_SEEDS - 1)
_AT_ONCE = 1 << 22  # flipped differences held at once: 32 MB
_ONE_THREAD = 1 << 18  # multiplications
_SLACK = 1e-10  # statistics closer than this tie, as in `signflip`
_CLOSE = 0.03  # of the least effect: closer than this the simulation does not tell seeds apart
_USUAL = 6.0  # standard deviations: most effects that matter are below
_LARGEST = 64.0  # standard deviations: an effect beyond is never looked for


@dataclass(frozen=True)
class StudyPower:
    """The finds of a study of `n` seeds and `arms` arms beside the baseline at level `alpha`.

    `thresholds` [studies], ascending, are the least true effects, in units of the score, that each
    simulated study establishes; infinite in a study that establishes none.
    """

    n: int
    arms: int
    alpha: float
    thresholds: Floats

    def power(self, effect: float) -> float:
        """The chance that a true `effect` is established, in its direction."""
        return float((self.thresholds <= abs(effect)).mean())

    def detectable(self, power: float = 0.8) -> float:
        """The least effect that is established with probability `power`; NaN where there is none.

        Raises `UsageError` for a power outside (0, 1).
        """
        if not 0 < power < 1:
            raise UsageError(f"power: expected a share between 0 and 1, got {power}")
        place = math.ceil(power * len(self.thresholds)) - 1
        found = float(self.thresholds[place])
        return found if math.isfinite(found) else math.nan


@lru_cache(maxsize=512)  # searches for several effects look at the same studies
def study_power(
    noise: PairedNoise,
    n: int,
    *,
    arms: int = 1,
    size: int | None = None,
    alpha: float = ALPHA,
    studies: int = _STUDIES,
    seed: int = 0,
) -> StudyPower:
    """Simulate studies in which one of `arms` arms has an effect and the others have none.

    With `size` None the effect is the same at every size, and is found when the area is
    established; else it is at that size alone, and found when that size is. Differences are normal
    with the `noise` given; the test is that of `family_test` over all areas and sizes of all arms
    (its first step, in which nothing has been rejected yet), exact to 10 seeds, with 511 sampled
    sign vectors above; of more than 60 seeds 60 are simulated, and the least effects taken to fall
    as 1/√n. Always the same studies for the same `seed`.

    Raises `UsageError` for a size that the noise does not know, or without an arm.
    """
    _check(n, arms, alpha)
    place = _place(noise, size)
    if n < seeds_to_reach(alpha):
        return StudyPower(n, arms, alpha, np.full(studies, math.inf))
    if n > _SIMULATED_SEEDS:
        most = study_power(
            *(noise, _SIMULATED_SEEDS),
            arms=arms,
            size=size,
            alpha=alpha,
            studies=studies,
            seed=seed,
        )
        shrunk = most.thresholds * math.sqrt(_SIMULATED_SEEDS / n)
        return StudyPower(n, arms, alpha, shrunk)
    rng, found = np.random.default_rng(np.random.SeedSequence([seed, n])), []
    for family in _families(noise, n, arms, place, alpha, studies, rng):
        usual = np.full(family.studies, _USUAL * family.unit)
        within = family.rejects(usual)
        low, high = np.where(within, 0.0, usual), np.where(within, usual, _LARGEST * family.unit)
        beyond = ~within & ~family.rejects(high)
        for _ in range(11):
            middle = (low + high) / 2
            rejected = family.rejects(middle)
            high, low = np.where(rejected, middle, high), np.where(rejected, low, middle)
        found.append(np.where(beyond, math.inf, high))
    return StudyPower(n, arms, alpha, np.sort(np.concatenate(found)))


def study_seeds(
    noise: PairedNoise,
    effect: float,
    *,
    arms: int = 1,
    size: int | None = None,
    power: float = 0.8,
    alpha: float = ALPHA,
    studies: int = _STUDIES,
    seed: int = 0,
) -> int | None:
    """The least seeds with which a study finds `effect` with probability `power`.

    See `study_power`. None above 500 seeds. `effect` is in units of the score. Raises `UsageError`
    for an effect of 0.
    """
    if not (math.isfinite(effect) and effect):
        raise UsageError(f"effect: expected a difference other than 0, got {effect}")

    def found_with(n: int) -> float:
        """The least effect that n seeds find; infinite where they find none."""
        one = study_power(
            noise, n, arms=arms, size=size, alpha=alpha, studies=studies, seed=seed
        ).detectable(power)
        return math.inf if math.isnan(one) else one

    wanted, low, high = abs(effect), seeds_to_reach(alpha) - 1, seeds_to_reach(alpha)
    while found_with(high) > wanted:
        if high >= MOST_SEEDS:
            return None
        low = high
        # Nearly what Student's t needs: the square of the ratio; a bit more, to be on the far side.
        guess = 1.15 * high * (found_with(high) / wanted) ** 2
        high = int(max(high + 1, min(guess, high * 4, MOST_SEEDS)))
    while high - low > 1:
        smooth = low >= _EXACT_SEEDS and math.isfinite(found_with(low))
        if smooth and found_with(high) > wanted * (1 - _CLOSE):
            return high
        middle = (low + high) // 2
        if smooth:
            middle = _between(low, high, found_with(low), found_with(high), wanted)
        low, high = (low, middle) if found_with(middle) <= wanted else (middle, high)
    return high


def _between(low: int, high: int, least_low: float, least_high: float, wanted: float) -> int:
    """The n between two at which the least effect is the wanted one, a power of n between them."""
    slope = math.log(least_high / least_low) / math.log(high / low)
    place = low * (wanted / least_low) ** (1 / slope) if slope else high
    return min(high - 1, max(low + 1, math.ceil(place)))


def _check(n: int, arms: int, alpha: float) -> None:
    if n < 1 or arms < 1:
        raise UsageError(f"expected a seed and an arm at least, got {n} seeds and {arms} arms")
    if not 0 < alpha < 1:
        raise UsageError(f"alpha: expected a share between 0 and 1, got {alpha}")


def _place(noise: PairedNoise, size: int | None) -> int | None:
    if size is not None and size not in noise.sizes:
        raise UsageError(f"size: expected one of {list(noise.sizes)}, got {size}")
    return None if size is None else noise.sizes.index(size)


def _families(
    noise: PairedNoise,
    n: int,
    arms: int,
    place: int | None,
    alpha: float,
    studies: int,
    rng: np.random.Generator,
) -> Iterator[_Families]:
    """Some studies at a time, so that their flipped differences fit into memory."""
    vectors = _vectors(n, rng)
    together = max(1, _AT_ONCE // (len(vectors) * (arms + 1) * (len(noise.sizes) + 1)))
    left = studies
    while left:
        count = min(left, together)
        delta = noise.differences(rng, studies=count, n=n, arms=arms)
        yield _Families(noise, delta, vectors, place, alpha)
        left -= count


def _vectors(n: int, rng: np.random.Generator) -> Floats:
    """Sign vectors [F, n], the identity first."""
    if n <= _EXACT_SEEDS:
        (signs,) = sign_vectors(n)
        return signs
    drawn: Floats = rng.integers(0, 2, size=(_VECTORS, n)).astype(np.float64) * 2.0 - 1.0
    drawn[0] = 1.0
    return drawn


class _Families:
    """Families of tests of some studies, one column of which gets an effect of any size."""

    def __init__(
        self,
        noise: PairedNoise,
        delta: Floats,  # [studies, n, arms, K]
        vectors: Floats,
        place: int | None,
        alpha: float,
    ) -> None:
        self.studies, _, _, count = delta.shape
        weights = aulc(np.eye(count), noise.sizes)  # [K]
        # A study of one size has no area beside it.
        alone = count == 1
        columns = delta if alone else np.concatenate([(delta @ weights)[..., None], delta], axis=-1)
        shape = np.ones(count) if place is None else np.eye(count)[place]
        self._effect = shape if alone else np.concatenate([[weights @ shape], shape])  # [C]
        groups = [slice(0, 1)] if alone else [slice(0, 1), slice(1, None)]
        self._tested = 0 if place is None or alone else 1 + place
        self._groups, self._own_group = groups, min(self._tested, len(groups) - 1)
        self._vectors, self._sums = vectors, vectors.sum(axis=1)  # [F]
        self._alpha = alpha
        self._mine = columns[:, :, 0]  # [studies, n, C]
        self._flipped = vectors @ self._mine  # [studies, F, C]
        others = columns[:, :, 1:]  # [studies, n, arms - 1, C]
        self._others = [
            _maxima(others[..., group].reshape(*others.shape[:2], -1), vectors) for group in groups
        ]  # [studies, F] each
        sd = np.append([] if alone else [noise.sd_of_area], noise.sd_by_size)
        self.unit = float(sd[self._tested]) / float(self._effect[self._tested])

    def rejects(self, effects: Floats) -> NDArray[np.bool_]:
        """True for each study [studies] in which an effect of that size is established."""
        shift = effects[:, None] * self._effect  # [studies, C]
        squares = ((self._mine + shift[:, None]) ** 2).sum(axis=1)  # [studies, C]
        flipped = np.abs(self._flipped + self._sums[None, :, None] * shift[:, None])
        flipped /= np.sqrt(np.where(squares > 0, squares, 1.0))[:, None]
        observed = flipped[:, 0, self._tested] - _SLACK  # [studies]; the identity stands first
        maxima = [
            np.maximum(flipped[..., group].max(axis=-1), other)
            for group, other in zip(self._groups, self._others, strict=True)
        ]
        tail = (maxima[self._own_group] >= observed[:, None]).sum(axis=1)  # [studies]
        reached = np.zeros(flipped.shape[:2], dtype=np.bool_)
        for top in maxima:
            if len(maxima) == 1:
                bar = observed
            else:  # the least statistic that at most `tail` of the group's maxima reach
                ordered = np.sort(top, axis=1)
                place = np.maximum(top.shape[1] - tail - 1, 0)[:, None]
                bar = np.take_along_axis(ordered, place, axis=1)[:, 0] + _SLACK
                bar = np.where(tail >= top.shape[1], -math.inf, bar)
            reached |= top >= bar[:, None]
        found: NDArray[np.bool_] = reached.mean(axis=1) <= self._alpha * (1 + 1e-12)
        # Established the wrong way round is not found.
        means: Floats = self._mine[..., self._tested].mean(axis=1) + shift[:, self._tested]
        found &= means > 0
        return found


def _maxima(columns: Floats, vectors: Floats) -> Floats:
    """The greatest statistic of some columns [studies, n, C] under each vector: [studies, F]."""
    studies, _, count = columns.shape
    if not count:
        return np.zeros((studies, len(vectors)))
    squares = (columns**2).sum(axis=1, keepdims=True)
    scaled = (columns / np.sqrt(np.where(squares > 0, squares, 1.0))).astype(np.float32)
    # Half the digits, which no tie hangs on, in half the time: most of it is spent here.
    # Products so small stay on one thread: on a busy machine a second one costs more than it gives.
    rows = max(1, _ONE_THREAD // (columns.shape[1] * count))
    greatest = []
    for start in range(0, len(vectors), rows):
        flipped = vectors[start : start + rows].astype(np.float32) @ scaled  # [studies, rows, C]
        greatest.append(np.maximum(flipped.max(axis=-1), -flipped.min(axis=-1)))
    return np.concatenate(greatest, axis=1).astype(np.float64)
