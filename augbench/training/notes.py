"""Notes on how packs were trained, in words. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ["Note", "summary"]

_WORTH_SAYING = 1.0  # seconds


class Note(NamedTuple):
    """A pack: its networks, why they were trained so, and the gain of a step over one by one.

    One of 0 networks is a remark of its own.
    `seconds` is what it took to find that out, where that was done for this pack.
    """

    networks: int
    reason: str
    gain: float | None = None
    seconds: float = 0.0


def summary(notes: Iterable[Note]) -> str:
    """One line on the training of packs, with the time of verifying if that is a second or more."""
    of_reason: dict[str, tuple[list[int], list[float]]] = {}
    took = 0.0
    for count, reason, gain, seconds in notes:
        counts, gains = of_reason.setdefault(reason, ([], []))
        counts.append(count)
        gains += [] if gain is None else [gain]
        took += seconds
    parts = []
    for reason, (counts, gains) in of_reason.items():
        networks = "network" if max(counts) == 1 else "networks"
        text = f"{_span(counts, 'd')} {networks} at a time, {reason}" if any(counts) else reason
        if gains:
            text += f", a step {_span(gains, '.1f')} times as fast as one by one"
        parts.append(text)
    if took >= _WORTH_SAYING:
        parts.append(f"verified in {took:.0f} s")
    return "; ".join(parts)


def _span(values: Sequence[float], style: str) -> str:
    low, high = format(min(values), style), format(max(values), style)
    return low if low == high else f"{low} to {high}"
