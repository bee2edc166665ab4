"""Dataclasses that `analyse` returns: frozen, complete, and plain enough for JSON.

A number that does not exist (one seed has no interval) is NaN, never a guess.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from augbench.statistics.failures import Collapses, LostSeeds
from augbench.statistics.improvement import Improvement
from augbench.statistics.intervals import MeanInterval
from augbench.statistics.learning import Unlearnt
from augbench.statistics.multipliers import GeometricMean, Multiplier
from augbench.statistics.pairing import Pairing
from augbench.statistics.references import GapClosed
from augbench.statistics.scale import Scale
from augbench.statistics.signflip import SignFlip
from augbench.statistics.spread import Spread
from augbench.text import shown

__all__ = [
    "Analysis",
    "Comparison",
    "Condition",
    "Curve",
    "References",
    "SizeComparison",
    "as_plain",
]


@dataclass(frozen=True)
class Condition:
    """The condition that arms are compared under: data sets, and later budget and readout.

    A study names its primary conditions. Each is one family of tests, whose chance of any false
    claim is alpha; all other conditions are exploratory: corrected within themselves alone, and
    marked so. `label` is the condition's name for a reader, `primary_label` that of the primary
    one where this is not it.
    """

    label: str = ""
    primary: bool = True
    primary_label: str = ""


@dataclass(frozen=True)
class Curve:
    """One arm over its own seeds: accuracy at each size, and the area under the curve."""

    augmentation: str
    points: tuple[MeanInterval, ...]
    aulc: MeanInterval

    def __repr__(self) -> str:
        points = ", ".join(f"{one.mean:.4g}" for one in self.points)
        return f"<Curve {shown(self.augmentation)}: {points}; area {self.aulc.mean:.4g}>"


@dataclass(frozen=True)
class References:
    """The cells that bound every curve, and how far the baseline stands from them at each size.

    `floor` (an untrained backbone) and `ceiling` (all of D_P, no augmentation) are None where they
    were not run; so are the paired differences baseline − floor and ceiling − baseline, times −1
    where lower is better.
    """

    floor: MeanInterval | None
    ceiling: MeanInterval | None
    above_floor: tuple[MeanInterval, ...] | None
    below_ceiling: tuple[MeanInterval, ...] | None


@dataclass(frozen=True)
class SizeComparison:
    """An augmentation against the baseline at one size.

    `p_adjusted` is the family's: over all areas and sizes of all augmentations. `p_within` is
    adjusted over the sizes of this augmentation alone. `reachable` is true where these seeds could
    have given a significant p at all. `gap_closed` is None without a ceiling.
    """

    size: int
    treated: MeanInterval
    baseline: MeanInterval
    difference: MeanInterval
    p_within: float
    p_adjusted: float
    reachable: bool
    pairing: Pairing
    spread: Spread
    multiplier: Multiplier
    gap_closed: GapClosed | None


@dataclass(frozen=True)
class Comparison:
    """An augmentation against the baseline, over the seeds with both whole curves.

    `aulc`, `baseline_aulc`, `difference`, `test`, `improvement`, `pairing` and `spread` are of the
    areas. `p_adjusted` is the family's (see `SizeComparison`); `least_p` is the least that it could
    have been with these seeds, `reachable` is true where that is at most alpha, and `seeds_needed`
    is how many seeds make it so.

    For planning, with power .8 by the sign-flip test itself, normal differences as noisy as these,
    and the level that the family leaves to this area: `detectable` is the least true ΔAULC that
    n seeds find (NaN where alpha leaves them fewer than two sign vectors, as with 6), and
    `seeds_for_observed` the seeds that find one as large as the observed; None where it cannot be
    said or no thousand seeds would do. An observed effect exaggerates more often than not, so the
    second is a lower guide.

    `lost` is None unless a cell of one of the two arms failed. `collapses` counts cells at chance.
    """

    augmentation: str
    aulc: MeanInterval
    baseline_aulc: MeanInterval
    difference: MeanInterval
    test: SignFlip
    p_adjusted: float
    least_p: float
    reachable: bool
    seeds_needed: int
    detectable: float
    seeds_for_observed: int | None
    improvement: Improvement
    pairing: Pairing
    spread: Spread
    lost: LostSeeds | None
    collapses: Collapses
    by_size: tuple[SizeComparison, ...]
    average_multiplier: GeometricMean

    def __repr__(self) -> str:
        d = self.difference
        return (
            f"<Comparison {shown(self.augmentation)}: area {d.mean:+.4g} ({d.lower:+.4g} to "
            f"{d.upper:+.4g}), p = {self.p_adjusted:.2g} corrected, {self.n} seeds>"
        )

    @property
    def n(self) -> int:
        """The seeds that the areas are compared over."""
        return self.difference.n


@dataclass(frozen=True)
class Analysis:
    """One condition: scores are on `scale`, by default accuracies in [0, 1]; multipliers factors.

    With `unlearnt`, no arm is shown to have learnt anything: differences say nothing.
    """

    condition: Condition
    n: int
    sizes: tuple[int, ...]
    baseline: str
    ruler_sizes: tuple[int, ...]
    confidence: float
    alpha: float
    curves: tuple[Curve, ...]
    ruler: tuple[MeanInterval, ...]
    references: References
    comparisons: tuple[Comparison, ...]
    scale: Scale = Scale()
    unlearnt: Unlearnt | None = None

    @property
    def testable(self) -> bool:
        """True where these seeds could have established any difference."""
        return any(c.reachable or any(row.reachable for row in c.by_size) for c in self.comparisons)

    def __repr__(self) -> str:
        where = f" of {shown(self.condition.label)}" if self.condition.label else ""
        return (
            f"<Analysis{where}: {len(self.comparisons)} augmentations against "
            f"{shown(self.baseline)}, {len(self.sizes)} sizes, {self.n} seeds>"
        )


def as_plain(node: Any) -> Any:
    """Dataclasses of this package as dicts, lists and numbers for JSON; NaN, infinity: None."""
    if is_dataclass(node) and not isinstance(node, type):
        return {field.name: as_plain(getattr(node, field.name)) for field in fields(node)}
    if isinstance(node, (tuple, list)):
        return [as_plain(item) for item in node]
    if isinstance(node, float) and not math.isfinite(node):
        return None
    return node
