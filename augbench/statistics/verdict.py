"""The verdict on each augmentation in plain words: a headline, and the sentences behind it.

Every number is read from the `Analysis`; only rounding happens here. "Not significant" is never
said of what could not have been significant: there the seeds that are missing are named instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from augbench.statistics._arrays import TIE
from augbench.statistics._sentences import sentences
from augbench.statistics._words import confidence_text, count, interval, points, samples
from augbench.statistics.claims import Claims, claims_of
from augbench.statistics.learning import Unlearnt
from augbench.statistics.records import Analysis, Comparison
from augbench.statistics.scale import Scale

__all__ = ["Kind", "Verdict", "remarks", "verdict"]

Kind = Literal["helps", "hurts", "mixed", "unclear", "cannot tell"]


@dataclass(frozen=True)
class Verdict:
    """The verdict on one augmentation: one line, then the sentences that support it.

    `kind` follows the primary endpoint, the area under the curve: "unclear" may still name sizes
    where a difference is established, and "mixed" means established differences of both signs.
    `exploratory` is true outside the study's primary conditions.
    """

    augmentation: str
    kind: Kind
    headline: str
    sentences: tuple[str, ...] = field(repr=False)
    exploratory: bool = False


def verdict(analysis: Analysis) -> list[Verdict]:
    """One verdict for each augmentation, in the order of the analysis; none without a baseline."""
    found = []
    for c in analysis.comparisons:
        claims, unlearnt = claims_of(c, analysis.alpha, analysis.scale), analysis.unlearnt
        # Where seeds are too few for any claim, nothing is ranked: that they are is said instead.
        if unlearnt is not None and (claims.reachable or unlearnt.excluded):
            found.append(_nothing_learnt(c, unlearnt, analysis))
            continue
        found.append(
            Verdict(
                augmentation=c.augmentation,
                kind=_kind(claims),
                headline=_headline(c, claims, analysis),
                sentences=sentences(c, claims, analysis),
                exploratory=not analysis.condition.primary,
            )
        )
    return found


def remarks(analysis: Analysis) -> tuple[str, ...]:
    """Sentences on the study as a whole, to be read with every verdict."""
    lines = []
    condition = analysis.condition
    if not condition.primary and analysis.comparisons:
        primary = f" ({condition.primary_label})" if condition.primary_label else ""
        lines.append(
            "Exploratory: this is not the study's primary condition"
            f"{primary}, and p-values are corrected within this condition alone."
        )
    if not any(curve.augmentation == analysis.baseline for curve in analysis.curves):
        lines.append(
            f"There are no {analysis.baseline!r} cells, so nothing can be compared; "
            "only the curves are shown."
        )
    above = analysis.references.above_floor
    if above is not None:
        weak = [s for s, d in zip(analysis.sizes, above, strict=True) if d.lower <= TIE]
        if weak:
            lines.append(
                f"At {samples(weak)} pretraining without augmentation is not established to beat "
                "an untrained backbone."
            )
    claims = [claims_of(c, analysis.alpha, analysis.scale) for c in analysis.comparisons]
    if analysis.unlearnt is not None:
        claims = []  # nothing is claimed
    if sum(bool(c.any) for c in claims) > 1:
        lines.append(
            f"All augmentations share the {analysis.baseline!r} cells, so several verdicts of one "
            "kind are not independent findings."
        )
    if len(analysis.sizes) > 1 and any(c.up or c.down for c in claims):
        lines.append(
            "Sizes named for an established difference are selected by it: their figures are on "
            "average larger than the truth."
        )
    if analysis.scale.no_multipliers and analysis.comparisons:
        lines.append(f"Label multipliers are left out: {analysis.scale.no_multipliers}.")
    if analysis.n > 1:
        lines.append(
            f"Intervals are {confidence_text(analysis)} over seeds (initial weights, batches and "
            "the choice of training images together), for the test images that were used."
        )
    return tuple(lines)


def _nothing_learnt(c: Comparison, unlearnt: Unlearnt, analysis: Analysis) -> Verdict:
    """The verdict where no arm is shown to have learnt anything: a ranking would be noise."""
    highest, guessing, upper = (
        f"{100 * one:.1f}%" for one in (unlearnt.highest, unlearnt.guessing, unlearnt.upper)
    )
    learnt = "nothing was learnt" if unlearnt.excluded else "nothing is shown to be learnt"
    many = f", corrected for {unlearnt.means} means" if unlearnt.means > 1 else ""
    return Verdict(
        augmentation=c.augmentation,
        kind="cannot tell",
        headline=(
            f"{_name(c, analysis)}: {learnt}, with it or without it, so there is nothing to "
            f"compare: the highest mean {unlearnt.noun} of any arm is {highest}, and answers "
            f"without looking at an image reach {guessing}."
        ),
        sentences=(
            f"No mean is established above that (t intervals over seeds{many}); "
            f"{confidence_text(analysis)} intervals reach up to {upper}.",
        ),
        exploratory=not analysis.condition.primary,
    )


def _name(c: Comparison, analysis: Analysis) -> str:
    return c.augmentation if analysis.condition.primary else f"{c.augmentation} (exploratory)"


def _kind(claims: Claims) -> Kind:
    better = bool(claims.up) or claims.area > 0
    worse = bool(claims.down) or claims.area < 0
    if better and worse:
        return "mixed"
    if claims.area:
        return "helps" if better else "hurts"
    return "unclear" if claims.reachable else "cannot tell"


def _headline(c: Comparison, claims: Claims, analysis: Analysis) -> str:
    kind = _kind(claims)
    name = _name(c, analysis)
    verbs = (("helps", claims.up), ("hurts", claims.down))
    local = " and ".join(f"{v} at {samples([r.size for r in rows])}" for v, rows in verbs if rows)
    if not c.n:
        if local:
            return f"{name} {local}; no seed has every size, so there is no average over the curve."
        if claims.reachable:
            return f"{name}: no clear effect at any size; no seed has every size, so no average."
        return f"{name}: nothing to compare yet; no seed has every size both with and without it."
    effect = f"{points(c.difference, analysis)}{_failures(c, analysis.scale)}"
    if kind in ("helps", "hurts"):
        if claims.uneven:
            wins = c.improvement.wins if kind == "helps" else c.improvement.losses
            return f"{name} {kind} in {wins} of {c.n} seeds, by an uncertain mean: {effect}."
        return f"{name} {kind}: {effect}."
    if kind == "mixed":
        overall = "undecided overall"
        if claims.area:
            overall = f"overall it {'helps' if claims.area > 0 else 'hurts'}"
        return f"{name} {local}; {overall}: {effect}."
    if kind == "unclear" and not c.reachable:
        first = f"{name} {local}" if local else f"{name}: no clear effect at any size"
        return f"{first}; the whole curve has too few seeds for a test: {effect}."
    if kind == "unclear":
        whole = " over the whole curve" if len(analysis.sizes) > 1 else ""
        though = f", though it {local}" if local else ""
        return f"{name}: no clear effect{whole}{though}; {effect}."
    return (
        f"{name}: cannot reach significance with {count(c.n, 'seed')}; "
        f"at least {c.seeds_needed} are needed; so far {effect}."
    )


def _failures(c: Comparison, scale: Scale) -> str:
    """Seeds that one arm lost and the other kept, and the effect with the failures at chance."""
    if c.lost is None:
        return ""
    sides = ((c.lost.treated, "only with it"), (c.lost.baseline, "only without it"))
    lost = " and ".join(
        f"{number} of {count(c.lost.seeds, 'seed')} failed {side}"
        for number, side in sides
        if number
    )
    if not c.lost.at_chance.n:
        return f"; {lost}, and are left out"
    bound = interval(c.lost.at_chance, usual_n=c.lost.seeds, scale=scale)
    return f"; {lost}, and with failures counted at chance it is {bound}"
