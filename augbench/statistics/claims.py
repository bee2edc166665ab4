"""The claims that a comparison supports, and the reasons to read them narrowly."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from augbench.statistics._arrays import TIE
from augbench.statistics.intervals import MeanInterval
from augbench.statistics.records import Analysis, Comparison, SizeComparison
from augbench.statistics.scale import Scale

__all__ = ["Claims", "claims_of", "told_claims"]


@dataclass(frozen=True)
class Claims:
    """Established differences: `area` is −1 (worse), 0 or 1, `up` and `down` are rows of sizes.

    `reachable` is false where no endpoint could have been significant with its seeds. `uneven`
    names why a claim is about most seeds rather than the mean: "interval" (that of the mean area
    holds 0), "spread" (the areas of the arms vary plainly unalike, and a test that allows for it
    does not confirm), "collapses" (one arm collapses more often). `in_doubt` are established sizes
    with one of the first two.
    """

    area: int
    up: tuple[SizeComparison, ...]
    down: tuple[SizeComparison, ...]
    reachable: bool
    uneven: tuple[str, ...]
    in_doubt: tuple[SizeComparison, ...]

    @property
    def sizes(self) -> tuple[SizeComparison, ...]:
        """The rows with an established difference, in the order of their sizes."""
        return tuple(sorted((*self.up, *self.down), key=lambda row: row.size))

    @property
    def any(self) -> bool:
        """True where anything is claimed."""
        return bool(self.area or self.up or self.down)


def claims_of(c: Comparison, alpha: float, scale: Scale = Scale()) -> Claims:
    """Read the claims of one comparison at `alpha`; NaN claims nothing."""
    better = scale.sign
    established = [row for row in c.by_size if row.p_adjusted <= alpha]
    area = better * _sign(c.difference) if c.p_adjusted <= alpha else 0
    up = tuple(row for row in established if better * _sign(row.difference) > 0)
    down = tuple(row for row in established if better * _sign(row.difference) < 0)
    uneven = []
    if area and holds_zero(c.difference):
        uneven.append("interval")
    if area and c.spread.leaves_in_doubt(alpha):
        uneven.append("spread")
    if c.collapses.treated != c.collapses.baseline:
        uneven.append("collapses")
    return Claims(
        area=area,
        up=up,
        down=down,
        reachable=c.reachable or any(row.reachable for row in c.by_size),
        uneven=tuple(uneven) if area or up or down else (),
        in_doubt=tuple(
            row
            for row in established
            if holds_zero(row.difference) or row.spread.leaves_in_doubt(alpha)
        ),
    )


def told_claims(c: Comparison, analysis: Analysis) -> Claims:
    """The claims of one comparison that reports mark; none where no arm is shown to have learnt."""
    claims = claims_of(c, analysis.alpha, analysis.scale)
    if analysis.unlearnt is None:
        return claims
    return replace(claims, area=0, up=(), down=(), uneven=(), in_doubt=())


def holds_zero(d: MeanInterval) -> bool:
    """True where there is an interval and it holds 0."""
    return not math.isnan(d.lower) and d.lower <= TIE and d.upper >= -TIE


def _sign(d: MeanInterval) -> int:
    return int(d.mean > TIE) - int(d.mean < -TIE)
