"""Conditions in words: readouts that disagree, and findings at the defaults beside tuned ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from augbench.statistics._words import count, join, signed
from augbench.statistics.claims import told_claims
from augbench.statistics.interactions import Interaction
from augbench.statistics.level import ALPHA
from augbench.statistics.records import Analysis, Comparison
from augbench.statistics.scale import Scale

__all__ = ["direction", "disagreement_line", "readouts_line", "tuning_outcome", "tuning_sentence"]

_VERBS = {1: "helps", -1: "hurts"}
_NAMED = 3
"""Arms that a line on another condition tells one by one; of more, it gives the number."""


def direction(analysis: Analysis | None, augmentation: str) -> int:
    """The established direction of an area under the curve: −1 (worse), 0 (none) or 1 (better)."""
    if analysis is None:
        return 0
    for one in analysis.comparisons:
        if one.augmentation == augmentation:
            return told_claims(one, analysis).area
    return 0


def readouts_line(
    augmentation: str,
    directions: Mapping[str, int],
    changes: Sequence[Interaction],
    alpha: float = ALPHA,
    scale: Scale = Scale(),
) -> str:
    """Say where the readouts disagree on an augmentation; nothing where all say the same.

    `directions` are those of each readout's own verdict, see `direction`; `changes` are the areas'
    changes from every other readout to the first one. That one readout's difference is established
    and another's is not does not show that they differ (Gelman & Stern 2006): a change does.
    """
    if len(set(directions.values())) < 2:
        return ""
    parts = []
    for sign, words in ((1, "it helps"), (-1, "it hurts"), (0, "no difference is established")):
        names = [name for name, one in directions.items() if one == sign]
        if names:
            parts.append(f"by {join(names)} {words}")
    first = next(iter(directions))
    mine = [one for one in changes if one.augmentation == augmentation and one.change.n]
    shown = [one for one in mine if one.p_adjusted <= alpha]
    text = f"The readouts disagree on {augmentation}: {'; '.join(parts)}."
    if shown:
        told = [f"{one.first} (by {_span(one, scale)})" for one in shown]
        text += f" The difference by {first} is established to be another than by {join(told)}."
    elif mine and not any(one.reachable for one in mine):
        text += f" Whether they differ cannot be tested with {_seeds(mine)}."
    else:
        text += f" That any difference is another than by {first} is not established."
    return text


def tuning_outcome(default: int, tuned: int) -> str:
    """An augmentation's verdict at the defaults and with all arms tuned, in a few words."""
    if default == tuned:
        if not default:
            return "no difference is established, at the defaults or tuned"
        return f"{_VERBS[default]} at the defaults and tuned"
    if not tuned:
        return f"{_VERBS[default]} at the defaults, tuned no difference is established"
    if not default:
        return f"no difference is established at the defaults, tuned it {_VERBS[tuned]}"
    return f"{_VERBS[default]} at the defaults and {_VERBS[tuned]} tuned"


def tuning_sentence(
    augmentation: str,
    default: int,
    tuned: int,
    change: Interaction | None,
    alpha: float = ALPHA,
    scale: Scale = Scale(),
) -> str:
    """Say whether a finding at the defaults survives tuning: both verdicts, and the change's test.

    `change` is that of the area from the defaults to tuned settings, both arms tuned.
    """
    text = f"{augmentation}: {tuning_outcome(default, tuned)}"
    if change is None or not change.change.n:
        return f"{text}."
    if change.p_adjusted <= alpha:
        return f"{text}; tuning changes the difference by {_span(change, scale)}."
    if not change.reachable:
        return f"{text}; whether tuning changes it cannot be tested with {_seeds([change])}."
    return f"{text}; that tuning changes it is not established ({_span(change, scale)})."


def disagreement_line(
    found: Sequence[tuple[Comparison, int]], here: Mapping[str, int], scale: Scale = Scale()
) -> str:
    """Say what is established of some arms in another condition than the one that a reader sees.

    `found` are their comparisons there, with the established directions; `here` the directions in
    the condition at hand, see `direction`.
    """
    groups: dict[tuple[int, int], list[Comparison]] = {}
    for c, sign in found:
        groups.setdefault((sign, here[c.augmentation]), []).append(c)
    parts = []
    for (there, mine), rows in groups.items():
        names = [c.augmentation for c in rows]
        many = len(names) > 1
        who = join(names) if len(names) <= _NAMED else f"{len(names)} of {len(here)} arms"
        points = [signed(c.difference.mean, c.difference, scale) for c in rows if c.difference.n]
        span = f" ({points[0]})" if len(points) == 1 else ""
        if len(points) > 1:
            ordered = sorted(rows, key=lambda c: c.difference.mean)
            ends = [
                signed(c.difference.mean, c.difference, scale) for c in (ordered[0], ordered[-1])
            ]
            span = f" ({ends[0]} to {ends[1]})"
        parts.append(f"{who} {_state(there, many)}{span}, here {_state(mine, many)}")
    return "; ".join(parts)


def _state(sign: int, many: bool) -> str:
    if not sign:
        return "undecided"
    return _VERBS[sign].removesuffix("s") if many else _VERBS[sign]


def _span(one: Interaction, scale: Scale) -> str:
    d = one.change
    text = f"{signed(d.mean, d, scale)} {scale.unit}"
    if d.n < 2:
        return f"{text}, no interval"
    return f"{text}, {signed(d.lower, d, scale)} to {signed(d.upper, d, scale)}"


def _seeds(rows: Sequence[Interaction]) -> str:
    n = max(one.change.n for one in rows)
    return f"{count(n, 'seed')} (at least {rows[0].seeds_needed} are needed)"
