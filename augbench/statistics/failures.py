"""Failed and collapsed cells: seeds that an arm lost, and seeds in which it learnt nothing.

Failures are seldom random: an arm fails where training was hard, so dropping its failed cells
leaves it the easy seeds. Counting them at chance bounds that from the other side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from augbench.statistics._arrays import Floats
from augbench.statistics.intervals import MeanInterval

__all__ = [
    "LEAST_LEARNT",
    "Collapses",
    "LostSeeds",
    "collapsed",
    "count_lost",
    "failures_at_chance",
]

_LEARNT = 0.25
"""A cell that learnt less than this share of what its size's best arm learns has collapsed."""


LEAST_LEARNT = 0.05
"""Where the best arm's median is less than five points above chance, nobody has learnt."""


@dataclass(frozen=True)
class LostSeeds:
    """Seeds that failed in one arm and not in the other, at any size.

    `at_chance` is the difference of the areas with every failed cell counted at chance, of no seeds
    where chance has no score; `seeds` is how many seeds the study has.
    """

    treated: int
    baseline: int
    seeds: int
    at_chance: MeanInterval


@dataclass(frozen=True)
class Collapses:
    """Cells at chance where others learn, of `cells` that both arms have.

    `treated_at` and `baseline_at` name them: (samples per class, seed), in that order.
    """

    treated: int
    baseline: int
    cells: int
    treated_at: tuple[tuple[int, int], ...] = ()
    baseline_at: tuple[tuple[int, int], ...] = ()


def failures_at_chance(
    arms: Mapping[str, Floats], failed: Mapping[str, NDArray[np.bool_]], chance: float
) -> dict[str, Floats]:
    """The arms [n, K] with every failed cell at `chance`; cells that were not run stay NaN.

    So do failed ones where chance is NaN: there is no score that guessing would get.
    """
    return {
        name: np.where(failed[name] & np.isnan(arm), chance, arm) if name in failed else arm
        for name, arm in arms.items()
    }


def count_lost(treated: NDArray[np.bool_], baseline: NDArray[np.bool_]) -> tuple[int, int]:
    """From failures [n, K] of both arms, the seeds that only the one and only the other lost."""
    only = (treated & ~baseline).any(axis=1), (baseline & ~treated).any(axis=1)
    return int(only[0].sum()), int(only[1].sum())


def collapsed(arms: Mapping[str, Floats], chance: float) -> dict[str, NDArray[np.bool_]]:
    """The cells [n, K] that learnt less than a quarter of what the best arm's median seed learns.

    Both are counted from `chance`; where no arm's median is five points above it, nothing has
    collapsed: nobody has learnt, and the noise of the test images would decide.
    """
    tables = np.stack(list(arms.values()))  # [arms, n, K]
    if not tables.size:
        return {name: np.zeros(arm.shape, dtype=np.bool_) for name, arm in arms.items()}
    medians = np.full((len(tables), tables.shape[2]), -np.inf)
    for median, table in zip(medians, tables, strict=True):
        for k, column in enumerate(table.T):
            known = column[~np.isnan(column)]
            if len(known):
                median[k] = np.median(known)
    best = medians.max(axis=0)  # [K]
    bar = np.where(best >= chance + LEAST_LEARNT, chance + _LEARNT * (best - chance), -np.inf)
    return {name: arm < bar for name, arm in arms.items()}  # NaN < bar is False
