"""Budgets in words: under which one a verdict holds, and where another changes a difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from augbench.statistics._words import count, decimals, join, number_list, samples, signed
from augbench.statistics.claims import holds_zero
from augbench.statistics.convergence import CutShort
from augbench.statistics.interactions import Interaction
from augbench.statistics.intervals import MeanInterval
from augbench.statistics.level import ALPHA
from augbench.statistics.scale import Scale

__all__ = ["budget_remark", "changed_by_budgets", "cut_short_line", "unchanged_by_budgets"]

_QUOTED = 3
"""Sizes of one augmentation that a line quotes with their numbers; more are listed by name."""


def budget_remark(budgets: Sequence[str], budget: str, primary: str = "") -> str:
    """The line that says for which of the study's budgets, the shortest first, the verdicts are.

    `primary` is that of the study's primary condition, by default the longest.
    """
    longest, primary = budgets[-1], primary or budgets[-1]
    if len(budgets) == 1:
        return f"These verdicts are for {budget} of pretraining; another length may change them."
    if budget != primary:
        instead = "the longest budget" if primary == longest else f"{primary}, the primary budget"
        return f"These verdicts are for {budget} of pretraining, not {instead}."
    if budget == longest:
        return (
            f"These verdicts are for {budget} of pretraining, the longest budget, which is the "
            "study's primary condition; what is said of shorter ones is exploratory."
        )
    return (
        f"These verdicts are for {budget} of pretraining, the budget that the study names as its "
        "primary condition; what is said of other ones is exploratory."
    )


def cut_short_line(found: Sequence[CutShort], budget: str) -> str:
    """Name the arms and sizes whose pretraining was plainly cut short; nothing without any."""
    sizes: dict[str, list[int]] = {}
    for one in found:
        if one.plain:
            sizes.setdefault(one.augmentation, []).append(one.size)
    if not sizes:
        return ""
    arms = [f"{label} at {number_list(at)}" for label, at in sizes.items()]
    reasons = []
    if any(one.plain and one.gain is not None and one.gain.plain for one in found):
        reasons.append("over a tenth of all that was learnt came in the last quarter")
    if any(one.rise is not None and one.rise.plain() for one in found):
        reasons.append("the longest budget is more accurate by over a point")
    return (
        f"Plainly not converged after {budget}, by samples per class: {'; '.join(arms)} "
        f"({', or '.join(reasons)}). Longer pretraining may change what is said of them."
    )


def changed_by_budgets(
    found: Sequence[Interaction], alpha: float = ALPHA, scale: Scale = Scale()
) -> tuple[str, ...]:
    """Say where budgets change a difference: a line for each augmentation and other budget."""
    lines = []
    for _, group in groupby(found, lambda one: (one.first, one.augmentation)):
        rows = list(group)
        established = [one for one in rows if one.p_adjusted <= alpha]
        if established:
            lines.append(_changed(established, alpha, scale) + _collapses(rows))
    return tuple(lines)


def unchanged_by_budgets(
    found: Sequence[Interaction], alpha: float = ALPHA, scale: Scale = Scale()
) -> tuple[str, ...]:
    """Say of each other budget for which augmentations no change is established.

    Where the seeds are too few for a test, the line says so, and what was measured at the first
    and the last size.
    """
    lines = []
    for _, group in groupby(found, lambda one: one.first):
        rows = [one for one in group if one.change.n]
        changed = {one.augmentation for one in rows if one.p_adjusted <= alpha}
        rest = {one.augmentation: one for one in reversed(rows) if one.augmentation not in changed}
        if rows and not any(one.reachable for one in rows):
            lines.append(_untested(rows, scale))
        elif rest:
            lines.append(_unchanged(list(rest.values())[::-1], scale))
    return tuple(lines)


def _changed(established: Sequence[Interaction], alpha: float, scale: Scale) -> str:
    """The established changes of one augmentation, between two budgets."""
    first, *others = established
    text = (
        f"{_place(first)} {first.augmentation} {_effects(first, scale)}; the budget changes the "
        f"difference by {_span(first, scale)}."
    )
    if len(others) < _QUOTED:
        for one in others:
            text += f" {_place(one)} it {_effects(one, scale, short=True)}: by {_span(one, scale)}."
    else:
        sizes = [one.size for one in others if one.size is not None]
        text += f" It changes it at {number_list(sizes)} samples per class as well."
    return text + _caution(established, alpha)


def _place(one: Interaction) -> str:
    return "On average over the sizes" if one.size is None else f"At {samples([one.size])}"


def _effects(one: Interaction, scale: Scale, *, short: bool = False) -> str:
    """Both differences: "costs 19.2 points with 500 steps and 3.2 with …"; short, "… and 3.2"."""
    places = decimals(one.change, scale)
    (verb, amount), (other, another) = (
        _effect(d, places, scale) for d in (one.at_first, one.at_second)
    )
    second = another if other == verb else f"{other} {another}"
    if short:
        return f"{verb} {amount} and {second}"
    return f"{verb} {amount} {scale.unit} with {one.first} and {second} with {one.second}"


def _effect(d: MeanInterval, places: int, scale: Scale) -> tuple[str, str]:
    verb = "costs" if scale.sign * d.mean < 0 else "gains"
    return verb, f"{scale.factor * abs(d.mean):.{places}f}"


def _span(one: Interaction, scale: Scale) -> str:
    d = one.change
    mean, lower, upper = (signed(value, d, scale) for value in (d.mean, d.lower, d.upper))
    if math.isnan(d.lower):
        return f"{mean}, without an interval"
    return f"{mean} ({lower} to {upper})"


def _caution(rows: Sequence[Interaction], alpha: float) -> str:
    if not any(holds_zero(one.change) or one.spread.leaves_in_doubt(alpha) for one in rows):
        return ""
    return (
        " Read that as a change in most seeds, not in the mean: an interval holds 0, or the "
        "difference varies plainly unalike under the two budgets."
    )


def _collapses(rows: Sequence[Interaction]) -> str:
    """Collapses at any size: where cells collapse now and then, other sizes were only lucky."""
    sized = [one for one in rows if one.size is not None]
    collapses, cells = (sum(one.collapses for one in sized), sum(one.cells for one in sized))
    if not collapses:
        return ""
    return (
        f" {collapses} of the {count(cells, 'cell')} of both arms and budgets collapsed: read that "
        "as a change in most seeds, not in the mean."
    )


def _unchanged(rows: Sequence[Interaction], scale: Scale) -> str:
    """The first row of each augmentation for which no change is established."""
    each = [f"{one.augmentation} ({_whole(one)}{_span(one, scale)})" for one in rows]
    names = join(each) if len(each) <= _QUOTED else f"{len(each)} augmentations"
    return (
        f"That {rows[0].first} instead of {rows[0].second} change the difference is not "
        f"established for {names}."
    )


def _whole(one: Interaction) -> str:
    return "on average " if one.size is None else ""


def _untested(rows: Sequence[Interaction], scale: Scale) -> str:
    """Too few seeds: the ends of the curve, which are chosen beforehand."""
    n = max(one.change.n for one in rows)
    sizes = [one.size for one in rows if one.size is not None and one.change.n]
    ends = dict.fromkeys((sizes[0], sizes[-1]) if sizes else (None,))
    parts = [
        f"{one.augmentation} {one.size}: {signed(one.at_first.mean, one.at_first, scale)} and "
        f"{signed(one.at_second.mean, one.at_second, scale)}, a change of "
        f"{_span(one, scale)}"
        for one in rows
        if one.size in ends and one.change.n
    ]
    return (
        f"Whether {rows[0].first} instead of {rows[0].second} change a difference cannot be "
        f"tested with {count(n, 'seed')} (at least {rows[0].seeds_needed} are needed). Measured, "
        f"in {scale.unit} by samples per class: {'; '.join(parts[: 2 * _QUOTED])}."
    )
