"""A stored study's options in words, for reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from augbench.options.option import options_of
from augbench.options.table import Options, Settings

__all__ = ["reported", "title_of"]


def reported(description: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(title, value) of every option that a report lists, from a stored study's description.

    An option that the study's version of AugBench did not have yet is at its default; a setting
    that this version does not know is listed by its name.
    """
    settings = dict(description["settings"])
    rows = []
    for name, option in options_of(Options).items():
        if option.reported:
            place = settings if name in options_of(Settings) else description
            rows.append((option.title, option.show(place.get(name, option.default))))
            settings.pop(name, None)
    return [*rows, *((name.replace("_", " "), str(value)) for name, value in settings.items())]


def title_of(name: str) -> str:
    """The title of an option by its name in Python; another name stays as it is."""
    option = options_of(Options).get(name)
    return option.title if option else name
