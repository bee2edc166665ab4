"""An analysis in plain words: does it help, where, by how much, how sure?

Every number is read from the `Analysis`; only rounding happens here. "Not significant" is never
said of what could not have been significant: there the seeds that are missing are named instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from augbench.statistics._arrays import TIE
from augbench.statistics._words import (
    bounds,
    count,
    interval,
    join,
    number_list,
    p_value,
    percent,
    points,
    samples,
    size_list,
)
from augbench.statistics.tree import Analysis, Comparison, SizeComparison

__all__ = ["Kind", "Verdict", "remarks", "verdict"]

Kind = Literal["helps", "hurts", "mixed", "unclear", "cannot tell"]


@dataclass(frozen=True)
class Verdict:
    """What the study says of one augmentation: one line, then the sentences that support it.

    `kind` follows the primary endpoint, the area under the curve: "unclear" may still name sizes
    where a difference is established, and "mixed" means established differences of both signs.
    """

    augmentation: str
    kind: Kind
    headline: str
    sentences: tuple[str, ...]


def verdict(analysis: Analysis) -> list[Verdict]:
    """One verdict for each augmentation, in the order of the analysis; none without a baseline."""
    return [_verdict(comparison, analysis) for comparison in analysis.comparisons]


def remarks(analysis: Analysis) -> tuple[str, ...]:
    """What a reader must know of the study as a whole before reading any verdict."""
    lines = []
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
    if analysis.n > 1:
        lines.append(
            f"Intervals are {analysis.confidence:.0%} over seeds (initial weights, batches and the "
            "choice of training images together), for the test images that were used."
        )
    return tuple(lines)


def _verdict(c: Comparison, analysis: Analysis) -> Verdict:
    up = [row for row in c.by_size if row.p_adjusted <= analysis.alpha and row.difference.mean > 0]
    down = [
        row for row in c.by_size if row.p_adjusted <= analysis.alpha and row.difference.mean < 0
    ]
    kind = _kind(c, analysis.alpha, up, down)
    sentences = [
        _sure(c, analysis),
        _where(c, kind, up, down),
        _labels(c, analysis, up + down),
        _seeds(c, analysis),
        _gap(c, analysis),
        _plan(c, analysis, kind),
        _missing(c),
    ]
    return Verdict(
        augmentation=c.augmentation,
        kind=kind,
        headline=_headline(c, analysis, kind, up, down),
        sentences=tuple(sentence for sentence in sentences if sentence),
    )


def _kind(
    c: Comparison, alpha: float, up: Sequence[SizeComparison], down: Sequence[SizeComparison]
) -> Kind:
    clear = c.reachable and c.p_adjusted <= alpha
    better = bool(up) or (clear and c.difference.mean > 0)
    worse = bool(down) or (clear and c.difference.mean < 0)
    if better and worse:
        return "mixed"
    if clear:
        return "helps" if better else "hurts"
    return "unclear" if c.reachable or up or down else "cannot tell"


def _headline(
    c: Comparison,
    analysis: Analysis,
    kind: Kind,
    up: Sequence[SizeComparison],
    down: Sequence[SizeComparison],
) -> str:
    name, effect = c.augmentation, points(c.difference, analysis)
    if kind in ("helps", "hurts"):
        return f"{name} {kind}: {effect}."
    verbs = (("helps", up), ("hurts", down))
    local = " and ".join(f"{v} at {samples([r.size for r in rows])}" for v, rows in verbs if rows)
    if kind == "mixed":
        overall = "undecided overall"
        if c.reachable and c.p_adjusted <= analysis.alpha:
            overall = f"overall it {'helps' if c.difference.mean > 0 else 'hurts'}"
        return f"{name} {local}; {overall}: {effect}."
    if kind == "unclear":
        whole = " over the whole curve" if len(analysis.sizes) > 1 else ""
        though = f", though it {local}" if local else ""
        return f"{name}: no clear effect{whole}{though}; {effect}."
    if not c.n:
        return f"{name}: nothing to compare yet; no seed has every size both with and without it."
    return (
        f"{name}: cannot reach significance with {count(c.n, 'seed')}; "
        f"at least {c.seeds_needed} are needed; so far {effect}."
    )


def _sure(c: Comparison, analysis: Analysis) -> str:
    m = len(analysis.comparisons)
    across = f" after Holm's correction for {m} augmentations" if m > 1 else ""
    if not c.n:
        return f"At least {c.seeds_needed} seeds are needed for a test at {analysis.alpha:g}."
    if not c.reachable:
        return (
            f"With {count(c.n, 'seed')} even perfect agreement gives {p_value(c.least_p)}{across}, "
            f"above {analysis.alpha:g}: nothing is claimed, for or against."
        )
    raw = f" ({p_value(c.test.p)} alone)" if m > 1 else ""
    endpoint = "area under the curve" if len(analysis.sizes) > 1 else "accuracy"
    how = "exact" if c.test.exact else f"{c.test.draws:,} sampled sign vectors"
    text = (
        f"Paired sign-flip test of the {endpoint} over {count(c.n, 'seed')} ({how}): "
        f"{p_value(c.p_adjusted)}{across}{raw}."
    )
    excludes = c.difference.lower > TIE or c.difference.upper < -TIE
    if c.p_adjusted > analysis.alpha and excludes:
        text += " The interval leaves out 0, but it is corrected for nothing; the p-value decides."
    return text


def _where(
    c: Comparison, kind: Kind, up: Sequence[SizeComparison], down: Sequence[SizeComparison]
) -> str:
    rows = [row for row in c.by_size if row.difference.n]
    if len(c.by_size) < 2 or not rows:
        return ""
    if kind == "cannot tell":
        most = max(rows, key=lambda row: abs(row.difference.mean))
        return (
            f"The largest measured difference is at {samples([most.size])}: "
            f"{interval(most.difference)}."
        )
    parts = []
    for verb, group in (("helps", up), ("hurts", down)):
        if group:
            most = max(group, key=lambda row: abs(row.difference.mean))
            at_most = f", the most at {most.size}" if len(group) > 1 else ""
            parts.append(f"it {verb} at {size_list(group)}{at_most} ({interval(most.difference)})")
    rest = [row.size for row in c.by_size if row not in up and row not in down]
    if not parts:
        return "At no single size is a difference established (step-down over sizes)."
    if rest:
        parts.append(f"at {number_list(rest)} no difference is established")
    return f"Where, by samples per class: {'; '.join(parts)} (step-down over sizes)."


def _labels(c: Comparison, analysis: Analysis, established: Sequence[SizeComparison]) -> str:
    if not any(row.multiplier.n for row in c.by_size):
        return ""
    average = c.average_multiplier
    counts = (
        (average.above, "above the largest baseline size"),
        (average.below, "below the smallest"),
    )
    off = join([f"{number} {side}" for number, side in counts if number] or [""])
    outside = f", {off} left out" if off else ""
    if average.uncensored:
        over = count(average.uncensored, "size")
        mean = f"geometric average {average.value:.3g} times the labels over {over}{outside}"
    else:
        mean = f"no average can be measured{outside}"
    rows = [row for row in established if row.multiplier.n]
    if not rows:  # a size picked for its difference would flatter
        return f"Worth in labels, not established: {mean}."
    m = max(rows, key=lambda row: abs(row.difference.mean)).multiplier
    many = {"": "", "above": "more than ", "below": "less than "}[m.censored]
    return (
        f"Worth in labels: training without it would need {many}{m.value:.3g} times as many at "
        f"{samples([m.size])} for the same accuracy{bounds(m, analysis)}; {mean}."
    )


def _seeds(c: Comparison, analysis: Analysis) -> str:
    if not c.n:
        return ""
    i = c.improvement
    ties = f", equal in {i.ties}" if i.ties else ""
    among = " among those that differ" if i.ties else ""
    return (
        f"Better in {i.wins} of {count(c.n, 'seed')}{ties}: probability of improvement "
        f"{i.probability:.2f} ({analysis.confidence:.0%} interval{among} "
        f"{i.lower:.2f} to {i.upper:.2f})."
    )


def _gap(c: Comparison, analysis: Analysis) -> str:
    rows = [row for row in c.by_size if row.gap_closed and not math.isnan(row.gap_closed.share)]
    bounded = [row for row in rows if row.gap_closed and math.isfinite(row.gap_closed.lower)]
    if not rows:
        return ""
    parts = []
    for row in (bounded or rows)[:: max(1, len(bounded or rows) - 1)]:  # the first and the last
        gap = row.gap_closed
        assert gap is not None
        limits = f"{percent(gap.lower)} to {percent(gap.upper)}" if row in bounded else "no bounds"
        parts.append(f"{percent(gap.share)} ({limits}) at {samples([row.size])}")
    return f"Of the gap between no augmentation and all labels it closes {join(parts)}."


def _plan(c: Comparison, analysis: Analysis, kind: Kind) -> str:
    if kind not in ("unclear", "cannot tell") or c.n < 2 or c.difference.sd <= TIE:
        return ""
    wanted = ""
    if c.seeds_for_observed is not None:
        wanted = f"an effect as large as measured takes about {c.seeds_for_observed:,} seeds"
    if kind == "cannot tell":
        return f"With seeds as noisy as these, {wanted} (power 80%)." if wanted else ""
    found = f"{c.n} find a true difference of {100 * c.detectable:.2g} points"
    both = f"{found}; {wanted}" if wanted else found
    return f"With seeds as noisy as these, {both} (power 80%)."


def _missing(c: Comparison) -> str:
    dropped = c.difference.dropped
    if not dropped:
        return ""
    return (
        f"Left out of the comparison, for a missing cell: {count(len(dropped), 'seed')} "
        f"(number {number_list([d + 1 for d in dropped])} of the study's list)."
    )
