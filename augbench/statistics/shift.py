"""Differences under shift: is an augmentation better than the baseline on corrupted images?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics._arrays import as_array
from augbench.statistics.comparisons import tested_with_failures
from augbench.statistics.failures import failures_at_chance
from augbench.statistics.intervals import MeanInterval, mean_interval
from augbench.statistics.level import ALPHA
from augbench.statistics.signflip import DRAWS, SignFlip, attainable_p, seeds_to_reach, sign_flip

__all__ = ["ShiftEffect", "shift_effects"]


@dataclass(frozen=True)
class ShiftEffect:
    """An augmentation's difference from the baseline under a corruption, paired by seed.

    `kind` is the corruption, None for the mean over all. `baseline` and `treated` are the means of
    both arms, over the seeds that have both; `difference` is treated − baseline: all are shares.
    `test` is the sign-flip test of the difference alone; `p_adjusted` is its family's.
    """

    augmentation: str
    kind: str | None
    baseline: MeanInterval
    treated: MeanInterval
    difference: MeanInterval
    test: SignFlip
    p_adjusted: float
    reachable: bool
    seeds_needed: int


def shift_effects(
    scores: Mapping[str, ArrayLike],
    kinds: Sequence[str],
    *,
    baseline: str = "none",
    failed: Mapping[str, ArrayLike] | None = None,
    chance: float = 0.0,
    confidence: float = 0.95,
    alpha: float = ALPHA,
    seed: int = 0,
    draws: int = DRAWS,
) -> tuple[ShiftEffect, ...]:
    """Test the differences from the baseline under each corruption, and under all on average.

    `scores[a]` is [n, kinds], the accuracy in [0, 1] of the same n seeds under each of `kinds`, as
    a mean over its strengths; NaN is a missing cell, and `failed[a]` [n] is true where it failed.
    All augmentations and corruptions are one family, balanced as in `family_test`: the means over
    all corruptions weigh as much as all single ones. As in `interactions`, a claim must hold with
    failed cells left out, and with them at `chance`, unless that is NaN.

    Ordered by augmentation, the mean over all before the kinds; a single kind has no mean beside
    it. Raises `UsageError` where the baseline is missing or arms differ in shape.
    """
    arms = {name: as_array(values, name, ndim=2) for name, values in scores.items()}
    if baseline not in arms:
        raise UsageError(f"scores: expected an arm {baseline!r}, the baseline")
    shape = arms[baseline].shape
    if shape[1] != len(kinds) or any(values.shape != shape for values in arms.values()):
        raise UsageError(
            f"scores: expected [seeds, {len(kinds)}] of every arm, got "
            f"{ {name: values.shape for name, values in arms.items()} }"
        )
    names = [name for name in arms if name != baseline]
    if not names or not kinds:
        return ()
    columns: list[str | None] = [None, *kinds] if len(kinds) > 1 else [*kinds]
    if len(kinds) > 1:
        arms = {
            name: np.column_stack([values.mean(axis=1), values]) for name, values in arms.items()
        }
    lost = {
        name: np.broadcast_to(
            np.asarray((failed or {}).get(name, np.zeros(shape[0])), np.bool_)[:, None],
            values.shape,
        )
        for name, values in arms.items()
    }
    harsh = failures_at_chance(arms, lost, chance)
    family = tested_with_failures(
        np.column_stack([arms[name] - arms[baseline] for name in names]),
        np.column_stack([harsh[name] - harsh[baseline] for name in names]),
        [int(kind is not None) for kind in columns] * len(names),
        alpha=alpha,
        seed=seed,
        draws=draws,
    )

    def effect(name: str, k: int, p: float) -> ShiftEffect:
        delta = arms[name][:, k] - arms[baseline][:, k]
        difference = mean_interval(delta, confidence=confidence)
        return ShiftEffect(
            augmentation=name,
            kind=columns[k],
            baseline=mean_interval(arms[baseline][:, k] + 0 * delta, confidence=confidence),
            treated=mean_interval(arms[name][:, k] + 0 * delta, confidence=confidence),
            difference=difference,
            test=sign_flip(delta, seed=seed, draws=draws),
            p_adjusted=p,
            reachable=bool(attainable_p(difference.n) <= alpha * (1 + 1e-12)),
            seeds_needed=seeds_to_reach(alpha),
        )

    places = [(name, k) for name in names for k in range(len(columns))]
    return tuple(effect(*place, float(p)) for place, p in zip(places, family.p, strict=True))
