"""A choice, and how it is told: a line each, with the option that changes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from augbench.options import named

__all__ = ["Choice", "lines"]

_WIDEST = 32
"""Letters up to which the options stand below each other: lines are to fit a terminal."""


@dataclass(frozen=True)
class Choice:
    """What was chosen, in words, for an option; `value` is another one that it could have."""

    told: str
    option: str
    value: str | None = None


def lines(choices: Iterable[Choice]) -> tuple[str, ...]:
    """A heading, and a line for each choice; nothing without any."""
    choices = list(choices)
    if not choices:
        return ()
    width = max((len(one.told) for one in choices if len(one.told) <= _WIDEST), default=0)
    told = (f"  {one.told:{width}}  {named(one.option, one.value)}" for one in choices)
    return ("chosen to fit the data; what stands behind a choice changes it:", *told)
