"""The first sentence of a report: which arm to use, at which number of labels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from augbench.statistics._words import count, join, number_list
from augbench.statistics.advice import Advice
from augbench.statistics.records import Analysis
from augbench.statistics.scale import Scale

__all__ = ["advice_line", "size_runs"]

_NAMED = 3
"""More arms than these are counted: the table names them."""


def advice_line(sizes: Sequence[Advice], overall: Advice, analysis: Analysis) -> str:
    """Say what to use at each size, or on average, or that nothing is decided and why."""
    if analysis.unlearnt is not None:
        return _unlearnt(analysis)
    if not analysis.testable:
        return _too_few(analysis)
    parts, average = list[str](), _on_average(overall, analysis)
    told = [one for one in sizes if one.use or one.hurt]
    if not told:
        return " ".join(average) or _undecided(analysis)
    for number, one in enumerate(sorted(told, key=lambda one: not one.use)):
        at = size_runs(one.sizes, analysis.sizes)
        if not number:
            at = f"Pretrained on {at} {'image' if one.sizes == (1,) else 'images'} a class"
        parts.append(f"{at}: {_use(one, analysis)}.")
    for one in sizes:
        if one not in told:
            at = size_runs(one.sizes, analysis.sizes)
            parts.append(f"{'Between' if _between(one.sizes, analysis.sizes) else at}: undecided.")
    return " ".join(parts + average)


def size_runs(sizes: Sequence[int], sweep: Sequence[int]) -> str:
    """Sizes of a sweep as `1 to 4`, where they follow each other in it, or `1, 8 and 64`."""
    places = [sweep.index(size) for size in sizes]
    if len(sizes) > 2 and places == list(range(places[0], places[0] + len(places))):
        return f"{sizes[0]} to {sizes[-1]}"
    return number_list(sizes)


def _between(rest: Sequence[int], sweep: Sequence[int]) -> bool:
    """True for a run of sizes inside the sweep, neither its first nor its last."""
    places = [sweep.index(size) for size in rest]
    inside = sweep[0] not in rest and sweep[-1] not in rest
    return inside and len(rest) > 1 and places == list(range(places[0], places[0] + len(places)))


def _use(one: Advice, analysis: Analysis) -> str:
    others = len(analysis.comparisons)
    if one.use == (analysis.baseline,):
        hurt = {1: f"{one.hurt[0]} hurts", 2: "both hurt"}.get(others, "all others hurt")
        return f"use {analysis.baseline}; {hurt}"
    if not one.use:
        return f"undecided; {_which_hurt(one.hurt)}"
    text = f"use {_any_of(one.use)}"
    if one.rivals:
        text += f" ({_any_of(one.rivals)} may be as good)"
    elif len(one.use) > 1:
        text += " (they cannot be told apart)"
    return f"{text}; {_which_hurt(one.hurt)}" if one.hurt else text


def _which_hurt(arms: Sequence[str]) -> str:
    if len(arms) > _NAMED:
        return f"{len(arms)} arms hurt"
    return f"{join(arms)} {'hurts' if len(arms) == 1 else 'hurt'}"


def _any_of(arms: Sequence[str]) -> str:
    if len(arms) > _NAMED:
        return f"any of {len(arms)} arms"
    return f"{', '.join(arms[:-1])} or {arms[-1]}" if len(arms) > 1 else arms[0]


def _on_average(overall: Advice, analysis: Analysis) -> list[str]:
    """A sentence on the average over the curve; none where nothing is established of it."""
    if len(analysis.sizes) < 2 or not (overall.use or overall.hurt):
        return []
    what = _use(overall, analysis) if overall.use else _which_hurt(overall.hurt)
    return [f"On average: {what}."]


def _undecided(analysis: Analysis) -> str:
    """The line where nothing is established, and what would have been found."""
    several = len(analysis.sizes) > 1
    n = max((c.n for c in analysis.comparisons), default=0)
    among = (
        f"none of {len(analysis.comparisons)} differences"
        if len(analysis.comparisons) > 1
        else "no difference"
    )
    where = ", at any size or on average" if several else f" at {analysis.sizes[0]}"
    text = (
        f"Undecided: with {count(n, 'seed')} {among} from {analysis.baseline} is established"
        f"{where}."
    )
    return f"{text}{_found_by(analysis, n, analysis.scale)}"


def _found_by(analysis: Analysis, n: int, scale: Scale) -> str:
    """A sentence on what these seeds could have found."""
    least = [c.detectable for c in analysis.comparisons if math.isfinite(c.detectable)]
    if not least or (scale.shares and max(least) > 0.99):
        return ""
    low, high = (f"{scale.factor * one:.2g}" for one in (min(least), max(least)))
    mean = "average " if len(analysis.sizes) > 1 else ""
    size = low if low == high else f"{low} to {high}"
    return (
        f" {n} seeds as noisy as these find a true {mean}difference of about {size} "
        f"{scale.unit} four times in five."
    )


def _too_few(analysis: Analysis) -> str:
    n = max((c.n for c in analysis.comparisons), default=0)
    n = max([n, *(row.difference.n for c in analysis.comparisons for row in c.by_size)])
    needed = max(c.seeds_needed for c in analysis.comparisons)
    if not n:
        return "Nothing to compare yet: no seed has results both with and without an augmentation."
    if n == 1:
        return f"One seed decides nothing: this is a single draw, and a test takes {needed} seeds."
    return f"{count(n, 'seed')} decide nothing: a test takes {needed}."


def _unlearnt(analysis: Analysis) -> str:
    one = analysis.unlearnt
    assert one is not None
    learnt = "Nothing was learnt" if one.excluded else "Nothing is shown to be learnt"
    return (
        f"{learnt}, so there is nothing to compare: the highest mean {one.noun} of any arm is "
        f"{100 * one.highest:.1f}%, and answers without looking at an image reach "
        f"{100 * one.guessing:.1f}%."
    )
