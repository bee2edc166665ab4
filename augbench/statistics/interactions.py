"""Interactions: does a condition, such as the length of pretraining, change a difference?

That one condition's difference is significant and another's is not does not show that the two
differ: Gelman & Stern 2006, *The difference between "significant" and "not significant" is not
itself statistically significant*, Am. Stat. 60. The two differences are compared, seed by seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics._arrays import Floats, as_array, as_sizes
from augbench.statistics.comparisons import tested_with_failures
from augbench.statistics.curves import aulc
from augbench.statistics.failures import collapsed, failures_at_chance
from augbench.statistics.intervals import MeanInterval, mean_interval
from augbench.statistics.level import ALPHA
from augbench.statistics.signflip import DRAWS, SignFlip, attainable_p, seeds_to_reach, sign_flip
from augbench.statistics.spread import Spread, spread
from augbench.text import shown

__all__ = ["Interaction", "interactions"]

_Arms = Mapping[str, ArrayLike]


@dataclass(frozen=True)
class Interaction:
    """An augmentation's difference from the baseline under two conditions, over the same seeds.

    `size` is in samples per class; None is the area under the curve. `at_first` and `at_second`
    are the differences under both conditions, `change` is second − first: all shares in [−1, 1],
    over the seeds that have all their cells under both. `test` is the sign-flip test of the change
    alone; `p_adjusted` is its family's (see `interactions`), NaN where nothing is paired.
    `spread` compares how the two differences vary. `collapses` counts the cells at chance, of
    `cells` that the change is made of.
    """

    augmentation: str
    size: int | None
    first: str
    second: str
    at_first: MeanInterval
    at_second: MeanInterval
    change: MeanInterval
    test: SignFlip
    p_adjusted: float
    reachable: bool
    seeds_needed: int
    spread: Spread
    collapses: int
    cells: int

    def __repr__(self) -> str:
        place = "area" if self.size is None else f"at {self.size}"
        return (
            f"<Interaction {shown(self.augmentation)}, {place}: {self.change.mean:+.4g} from "
            f"{shown(self.first)} to {shown(self.second)}, p = {self.p_adjusted:.2g} corrected>"
        )


def interactions(
    scores: Mapping[str, _Arms],
    sizes: Sequence[int],
    *,
    baseline: str = "none",
    failed: Mapping[str, _Arms] | None = None,
    chance: float = 0.0,
    collapses: Mapping[str, _Arms] | None = None,
    confidence: float = 0.95,
    alpha: float = ALPHA,
    seed: int = 0,
    draws: int = DRAWS,
) -> tuple[Interaction, ...]:
    """Test whether differences under the last of several conditions are those under the others.

    `scores[condition][a]` is [n, K], the accuracy in [0, 1] of the same n seeds at K `sizes`; NaN
    is a missing cell, and `failed[condition][a]` [n, K] is true where it failed. For each seed,
    the change is (y_a − y_0 under the last condition) − (y_a − y_0 under another one). Changes are
    tested by flipping the signs of whole seeds, as differences are: the hypothesis is that a
    seed's change is symmetric about 0.

    All augmentations, areas, sizes and earlier conditions are one family, balanced as in
    `family_test`, with `alpha` of its own: it is not the family of the verdicts, and exploratory.
    As there, a claim must hold with failed cells left out, and with them at `chance`, unless that
    is NaN. Scores may be on another scale than accuracy's: `collapses[condition][a]` [n, K] then
    tells which cells are at chance.

    Ordered by condition, then augmentation, the area before the sizes; a single size has no area.
    Raises `UsageError` where conditions lack an arm of the last one or have another shape.
    """
    *others, last = scores
    tables = {condition: _checked(scores, condition, last) for condition in scores}
    whole = tuple(int(s) for s in as_sizes(sizes))
    names = [name for name in tables[last] if name != baseline]
    if not others or not names or baseline not in tables[last]:
        return ()
    lost = {
        condition: {
            name: np.asarray((failed or {}).get(condition, {}).get(name, False), dtype=np.bool_)
            for name in arms
        }
        for condition, arms in tables.items()
    }
    harsh = {
        condition: failures_at_chance(arms, lost[condition], chance)
        for condition, arms in tables.items()
    }
    low = {
        condition: collapsed(arms, chance)
        if collapses is None
        else {name: np.asarray(collapses[condition][name], dtype=np.bool_) for name in arms}
        for condition, arms in tables.items()
    }

    def differences(table: dict[str, dict[str, Floats]], condition: str, name: str) -> Floats:
        delta = table[condition][name] - table[condition][baseline]
        return np.column_stack([aulc(delta, whole), delta]) if len(whole) > 1 else delta

    def changes(table: dict[str, dict[str, Floats]]) -> Floats:
        return np.column_stack(
            [
                differences(table, last, name) - differences(table, condition, name)
                for condition in others
                for name in names
            ]
        )

    ends: list[int | None] = [None, *whole] if len(whole) > 1 else [*whole]
    groups = [int(end is not None) for end in ends] * (len(names) * len(others))
    family = tested_with_failures(
        changes(tables), changes(harsh), groups, alpha=alpha, seed=seed, draws=draws
    )

    def compared(condition: str, name: str, k: int, p: float) -> Interaction:
        first, second = (differences(tables, one, name)[:, k] for one in (condition, last))
        delta = second - first
        first, second = first + 0 * delta, second + 0 * delta  # the seeds that have both
        change = mean_interval(delta, confidence=confidence)
        columns = range(len(whole)) if ends[k] is None else [whole.index(ends[k])]
        cells = np.stack(
            [
                low[which][arm][~np.isnan(delta)][:, columns]
                for which in (condition, last)
                for arm in (name, baseline)
            ]
        )
        return Interaction(
            augmentation=name,
            size=ends[k],
            first=condition,
            second=last,
            at_first=mean_interval(first, confidence=confidence),
            at_second=mean_interval(second, confidence=confidence),
            change=change,
            test=sign_flip(delta, seed=seed, draws=draws),
            p_adjusted=p,
            reachable=bool(attainable_p(change.n) <= alpha * (1 + 1e-12)),
            seeds_needed=seeds_to_reach(alpha),
            spread=spread(second, first),
            collapses=int(cells.sum()),
            cells=cells.size,
        )

    places = [(c, name, k) for c in others for name in names for k in range(len(ends))]
    return tuple(compared(*place, float(p)) for place, p in zip(places, family.p, strict=True))


def _checked(scores: Mapping[str, _Arms], condition: str, last: str) -> dict[str, Floats]:
    """The arms of a condition [n, K], which are those of the last one."""
    wanted = {name: np.shape(arm) for name, arm in scores[last].items()}
    given = {name: np.shape(arm) for name, arm in scores[condition].items()}
    if given != wanted:
        raise UsageError(
            f"scores[{condition!r}]: expected the arms and shapes of {last!r}, {wanted}, "
            f"got {given}; a missing cell is NaN"
        )
    return {name: as_array(arm, name, ndim=2) for name, arm in scores[condition].items()}
