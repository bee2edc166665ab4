"""The ranges in which an augmentation's parameters are tuned: its class attribute `search_space`.

A module of its own, not a part of `contract`: the source of an augmentation that imports from there
is hashed together with it, and declaring a range changes no result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augbench.errors import ContractError
from augbench.plugins import parameters
from augbench.plugins.suggestion import suggestion

__all__ = ["SearchRange", "search_space_of"]


@dataclass(frozen=True)
class SearchRange:
    """The range in which tuning searches one parameter, from `low` to `high`, both included.

    `log` means evenly by the logarithm; `whole`, whole numbers alone.
    """

    low: float
    high: float
    log: bool
    whole: bool


def search_space_of(augmentation: object) -> dict[str, SearchRange]:
    """The ranges of an augmentation or its class, by parameter; {} where it declares none.

    Raises `ContractError` for a name that is no numeric parameter of the constructor, for bounds
    that are no finite numbers (whole ones, of a whole number), are not in rising order, or are not
    above 0 where the axis is logarithmic, and for a word other than "log".
    """
    kind = augmentation if isinstance(augmentation, type) else type(augmentation)
    declared: object = getattr(kind, "search_space", {})
    if not isinstance(declared, Mapping):
        raise ContractError(
            f"{kind.__name__}: expected `search_space` as a dict of (low, high) or "
            f'(low, high, "log") by parameter, got {declared!r}'
        )
    known = {one.name: one.type.split(" | ") for one in parameters.declared("augmentation", kind)}
    return {name: _search_range(kind, name, given, known) for name, given in declared.items()}


def _search_range(
    kind: type, name: object, given: object, known: Mapping[str, Sequence[str]]
) -> SearchRange:
    who = f"{kind.__name__}: `search_space` of {name!r}"
    types = known.get(name, ()) if isinstance(name, str) else ()
    if not {"int", "float"} & set(types):
        raise ContractError(
            f"{who}: expected a numeric parameter of the constructor{suggestion(str(name), known)}"
        )
    whole = "float" not in types
    log = isinstance(given, (tuple, list)) and len(given) == 3 and given[2] == "log"
    bounds = given[:2] if log else given  # type: ignore[index]
    if (
        not isinstance(bounds, (tuple, list))
        or len(bounds) != 2
        or not all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in bounds)
        or not all(math.isfinite(one) and (not whole or one == int(one)) for one in bounds)
    ):
        numbers = "whole numbers" if whole else "numbers"
        raise ContractError(
            f'{who}: expected (low, high) or (low, high, "log") of {numbers}, got {given!r}'
        )
    low, high = bounds
    if low >= high or (log and low <= 0):
        rising = "0 < low < high" if log else "low < high"
        raise ContractError(f"{who}: expected {rising}, got {given!r}")
    return SearchRange(low, high, log, whole)
