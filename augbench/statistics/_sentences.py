"""The sentences that support a verdict, in the order in which they are read."""

from __future__ import annotations

import math

from augbench.statistics._arrays import TIE
from augbench.statistics._words import (
    about,
    confidence_text,
    count,
    factor,
    interval,
    join,
    number_list,
    p_value,
    percent,
    samples,
)
from augbench.statistics.claims import Claims, holds_zero
from augbench.statistics.multipliers import Multiplier
from augbench.statistics.records import Analysis, Comparison, SizeComparison
from augbench.statistics.scale import Scale

__all__ = ["sentences"]

_NAMED = 3
"""Seeds with collapsed cells that a sentence names; of more, it gives the number."""
_NO_SPREAD = 1e-6
"""Seeds that agree to a ten-thousandth of a point leave nothing to plan with."""


def sentences(c: Comparison, claims: Claims, analysis: Analysis) -> tuple[str, ...]:
    """Test, cautions, sizes, labels, seeds, gap, plan, and what was left out; those that apply."""
    parts = (
        _test(c, claims, analysis),
        _caution(c, claims),
        _collapses(c),
        _sizes(c, claims, analysis.scale),
        _labels(claims, analysis),
        _seeds(c, analysis),
        _gap(c, analysis),
        _plan(c, claims, analysis.scale),
        _left_out(c),
    )
    return tuple(part for part in parts if part)


def _test(c: Comparison, claims: Claims, analysis: Analysis) -> str:
    if not claims.reachable:
        n = max(c.n, *(row.difference.n for row in c.by_size))
        if not n:
            return f"At least {c.seeds_needed} seeds are needed for a test at {analysis.alpha:g}."
        least = p_value(2.0 ** (1 - n))
        return (
            f"With {count(n, 'seed')} even perfect agreement gives {least}, above "
            f"{analysis.alpha:g}: nothing is claimed, for or against."
        )
    endpoint = "area under the curve" if len(analysis.sizes) > 1 else analysis.scale.noun
    if not c.reachable:
        return (
            f"The {endpoint} is not tested, having {count(c.n, 'whole seed')} of the "
            f"{c.seeds_needed} that are needed; each size is tested over its own seeds."
        )
    how = "exact" if c.test.exact else f"{c.test.draws:,} sampled sign vectors"
    text = f"Paired sign-flip test of the {endpoint} over {count(c.n, 'seed')} ({how}): "
    text += p_value(c.p_adjusted)
    several = ["all sizes"] if len(analysis.sizes) > 1 else []
    if len(analysis.comparisons) > 1:
        several.append(f"{len(analysis.comparisons)} augmentations")
    if several:
        text += f" corrected for {join(several)}, {p_value(c.test.p)} alone"
    text += "."
    if c.p_adjusted > analysis.alpha and not holds_zero(c.difference):
        text += " The interval leaves out 0, but "
        text += (
            "neither failures nor the number of tests count in it"
            if c.lost
            else ("it is corrected for nothing")
        )
        text += "; the p-value decides."
    return text


def _caution(c: Comparison, claims: Claims) -> str:
    if not claims.any:
        return ""
    reasons = []
    if "interval" in claims.uneven:
        reasons.append("the interval of the mean holds 0, since a few seeds differ far more")
    if "spread" in claims.uneven:
        ratio = c.spread.ratio
        how = f"{factor(ratio)} times as widely" if ratio > 1 else f"{factor(1 / ratio)} times less"
        reasons.append(f"its seeds scatter {how} ({p_value(c.spread.p)})")
    for why, found in (
        ("the interval of the mean holds 0", [holds_zero(r.difference) for r in claims.in_doubt]),
        ("the arms scatter unalike", [not holds_zero(r.difference) for r in claims.in_doubt]),
    ):
        sizes = [row.size for row, there in zip(claims.in_doubt, found, strict=True) if there]
        if sizes and len(c.by_size) > 1:
            reasons.append(f"{why} at {samples(sizes)}")
    if "collapses" in claims.uneven:
        reasons.append("one arm collapses more often than the other")
    if not reasons:
        return ""
    return (
        f"Read it as a claim about most seeds, not about the mean: {join(reasons)}. The test says "
        "that the two arms of a seed are not interchangeable."
    )


def _collapses(c: Comparison) -> str:
    k = c.collapses
    if not k.treated and not k.baseline:
        return ""
    return (
        f"Collapsed, near chance where others learn: {k.treated} of {count(k.cells, 'cell')} with "
        f"it{_places(k.treated_at)}, {k.baseline} without it{_places(k.baseline_at)}; a mean over "
        "such seeds says little."
    )


def _places(cells: tuple[tuple[int, int], ...]) -> str:
    """The seeds of collapsed cells with their sizes: " (seed 2 at 4 and 8)"; none where many."""
    sizes: dict[int, list[int]] = {}
    for size, seed in cells:
        sizes.setdefault(seed, []).append(size)
    if not sizes or len(sizes) > _NAMED:
        return f" (in {len(sizes)} seeds)" if sizes else ""
    return f" ({join([f'seed {seed} at {number_list(at)}' for seed, at in sizes.items()])})"


def _sizes(c: Comparison, claims: Claims, scale: Scale) -> str:
    rows = [row for row in c.by_size if row.difference.n]
    if len(c.by_size) < 2 or not rows:
        return ""

    def told(row: SizeComparison) -> str:
        return interval(row.difference, usual_n=c.n, scale=scale)

    if not claims.reachable:
        ends = [rows[0], rows[-1]] if len(rows) > 1 else rows
        parts = [f"{told(row)} at {samples([row.size])}" for row in ends]
        return f"Measured so far: {'; '.join(parts)}."
    parts = []
    for verb, group in (("helps", claims.up), ("hurts", claims.down)):
        if group:
            each = [f"{row.size} ({told(row)})" for row in group]
            parts.append(f"it {verb} at {join(each)}")
    rest = [row.size for row in c.by_size if row not in claims.sizes]
    if not parts:
        return "At no single size is a difference established."
    if rest:
        parts.append(f"at {number_list(rest)} no difference is established")
    return f"Where, by samples per class: {'; '.join(parts)}."


def _labels(claims: Claims, analysis: Analysis) -> str:
    """Multipliers of the established sizes only: others would be picked for their value."""
    if analysis.scale.no_multipliers:
        return ""
    rows = [row for row in claims.sizes if row.multiplier.n]
    given = [_multiplier(row) for row in rows if not row.multiplier.withheld]
    reasons: dict[str, list[int]] = {}
    for row in rows:
        if row.multiplier.withheld:
            reasons.setdefault(row.multiplier.withheld, []).append(row.size)
    given += [f"no number at {number_list(sizes)}, since {why}" for why, sizes in reasons.items()]
    if not given:
        return ""
    level = f" ({confidence_text(analysis)} intervals)" if any("(" in one for one in given) else ""
    same = f"the same {analysis.scale.noun}"
    return f"Worth in labels, without it for {same}{level}: {'; '.join(given)}."


def _multiplier(row: SizeComparison) -> str:
    m = row.multiplier
    at = f"at {row.size}"
    if m.censored == "above" and m.value <= 1:
        return f"{at} more than were measured"
    if m.censored == "below" and m.value >= 1:
        return f"{at} fewer than were measured"
    many = {"": "", "above": "more than ", "below": "less than "}[m.censored]
    seeds = "" if m.n == row.difference.n else f", {count(m.n, 'seed')}"
    inside = f"{_bounds(m)}{seeds}".removeprefix(", ")
    return f"{many}{factor(m.value)} times as many {at}" + (f" ({inside})" if inside else "")


def _bounds(m: Multiplier) -> str:
    """The interval of a multiplier; open ends are said in words."""
    if math.isnan(m.lower):
        return ""
    low = f"less than {factor(m.least)}" if m.lower == 0 else factor(m.lower)
    high = f"more than {factor(m.most)}" if math.isinf(m.upper) else factor(m.upper)
    if m.lower == 0 and math.isinf(m.upper):
        return "no bounds"
    if math.isinf(m.upper) and low == factor(m.most):
        return ""
    if m.lower == 0 and high == factor(m.least):
        return ""
    return f"{low} to {high}"


def _seeds(c: Comparison, analysis: Analysis) -> str:
    if c.n < 2:  # of one seed it is 0 or 1, with an interval of nearly all there is
        return ""
    i = c.improvement
    ties = f", equal in {i.ties}" if i.ties else ""
    among = " among those that differ" if i.ties else ""
    return (
        f"Better in {i.wins} of {count(c.n, 'seed')}{ties}: probability of improvement "
        f"{i.probability:.2f} ({confidence_text(analysis)} interval{among} "
        f"{i.lower:.2f} to {i.upper:.2f})."
    )


def _gap(c: Comparison, analysis: Analysis) -> str:
    """The share of the gap at the first and the last size where it has bounds."""
    rows = []
    for row in c.by_size:
        gap = row.gap_closed
        if gap is not None and not math.isnan(gap.share) and math.isfinite(gap.lower):
            limits = f"{percent(gap.lower)} to {percent(gap.upper)}"
            seeds = "" if gap.n == c.n else f", {count(gap.n, 'seed')}"
            rows.append(f"{percent(gap.share)} ({limits}{seeds}) at {samples([row.size])}")
    if not rows:
        return ""
    ends = [rows[0], rows[-1]] if len(rows) > 1 else rows
    return (
        f"Of the gap between {analysis.baseline} and all labels it closes {join(ends)} "
        f"({confidence_text(analysis)} intervals)."
    )


def _plan(c: Comparison, claims: Claims, scale: Scale) -> str:
    if claims.area or c.n < 2 or c.difference.sd <= _NO_SPREAD:
        return ""
    parts = []
    # NaN where these seeds can find nothing, and no two shares differ by more than 1.
    if c.detectable < 0.99 or (not scale.shares and math.isfinite(c.detectable)):
        least = f"{scale.factor * c.detectable:.2g} {scale.unit}"
        parts.append(f"{c.n} find a true difference of about {least}")
    wanted = c.seeds_for_observed
    if wanted is None and abs(c.difference.mean) > TIE:
        parts.append("an effect as small as measured takes over 1,000 seeds")
    elif wanted is not None and wanted > max(c.n, c.seeds_needed):
        parts.append(f"an effect as large as measured takes about {about(wanted)} seeds")
    if not parts:
        return ""
    return f"With seeds as noisy as these, {'; '.join(parts)} (power 80%)."


def _left_out(c: Comparison) -> str:
    dropped = c.difference.dropped
    if not dropped or not c.n:
        return ""
    return (
        f"Left out of the comparison, for a missing cell: {count(len(dropped), 'seed')} "
        f"(number {number_list([d + 1 for d in dropped])} of the study's list)."
    )
