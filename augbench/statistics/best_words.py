"""The best arms in words: one line for all sizes."""

from __future__ import annotations

from collections.abc import Sequence

from augbench.statistics._words import count, number_list
from augbench.statistics.best import BestArms, BestSet

__all__ = ["best_line"]

_NAMED = 4
"""More arms than these are counted rather than named."""


def best_line(found: BestArms, *, baseline: str | None = None) -> str:
    """Say which arms may be the best, sizes with equal sets together.

    Where the seeds are too few to leave any arm out, it says how many are needed.
    """
    several = len(found.by_size) > 1
    sets = [*found.by_size, *([found.overall] if several else [])]
    if not any(one.reachable for one in sets):
        n = max(one.n for one in sets)
        return (
            f"With {count(n, 'seed')} no arm can be told from the best: at least "
            f"{found.seeds_needed} are needed."
        )
    parts = [
        f"{_arms(members[0], baseline)} {_places(members)}"
        for members in _grouped([one for one in sets if one.reachable])
    ]
    short = [one for one in sets if not one.reachable]
    if short:
        parts.append(f"too few seeds {_places(short)} (at least {found.seeds_needed} are needed)")
    return f"Best arms, by samples per class: {'; '.join(parts)}."


def _grouped(sets: Sequence[BestSet]) -> list[list[BestSet]]:
    """Sets of equal arms together, in the order of their first size."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[BestSet]] = {}
    for one in sets:
        groups.setdefault((one.best, one.left_out), []).append(one)
    return list(groups.values())


def _arms(one: BestSet, baseline: str | None) -> str:
    """The arms of a set, joined by "or": the best of them is not known."""

    def named(arms: Sequence[str], word: str) -> str:
        *first, last = (f"the baseline {arm}" if arm == baseline else arm for arm in arms)
        return f"{', '.join(first)} {word} {last}" if first else last

    best, out = one.best, one.left_out
    if not out:
        return "no arm can be left out"
    if len(best) <= _NAMED:
        return named(best, "or")
    if len(out) <= _NAMED:
        return f"any but {named(out, 'and')}"
    return f"any of {len(best)} of {len(best) + len(out)} arms"


def _places(sets: Sequence[BestSet]) -> str:
    sizes = [one.size for one in sets if one.size is not None]
    places = [f"at {number_list(sizes)}"] if sizes else []
    if len(sizes) < len(sets):
        places.append("on average over the sizes")
    return " and ".join(places)
