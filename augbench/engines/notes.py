"""How packs were trained, in words. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["summary"]


def summary(notes: Iterable[tuple[int, str, float | None]]) -> str:
    """How packs were trained, in one line: (networks, reason, gain over one by one) each."""
    of_reason: dict[str, tuple[list[int], list[float]]] = {}
    for count, reason, gain in notes:
        counts, gains = of_reason.setdefault(reason, ([], []))
        counts.append(count)
        gains += [] if gain is None else [gain]
    parts = []
    for reason, (counts, gains) in of_reason.items():
        networks = "network" if max(counts) == 1 else "networks"
        text = f"{_span(counts, 'd')} {networks} at a time, {reason}"
        if gains:
            text += f", a step {_span(gains, '.1f')} times as fast as one by one"
        parts.append(text)
    return "; ".join(parts)


def _span(values: Sequence[float], style: str) -> str:
    low, high = format(min(values), style), format(max(values), style)
    return low if low == high else f"{low} to {high}"
