"""A stored study's options in words, for reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from augbench.options.option import options_of
from augbench.options.table import Options, Settings, grouped

__all__ = ["reported", "titled"]


def reported(description: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(title, value) of every option that a report lists, from a stored study's description.

    An option that the study's version of AugBench did not have yet is at its default; a setting
    that this version does not know is listed by its name.
    """
    settings = dict(description["settings"])
    rows = []
    for options in grouped(Options).values():
        for name, option in options.items():
            if option.reported:
                place = settings if name in options_of(Settings) else description
                text = option.show(place.get(name, option.default))
                if name == "pretrain_steps" and "budgets" in description:
                    text = ", ".join(description["budgets"])
                rows.append((option.title, text))
                settings.pop(name, None)
    return [*rows, *((name.replace("_", " "), str(value)) for name, value in settings.items())]


def titled(description: Mapping[str, Any]) -> dict[str, Any]:
    """A stored study's description with its reported options in words, and the rest as it is."""
    listed = {name for name, option in options_of(Options).items() if option.reported}
    rest = {name: value for name, value in description.items() if name not in listed}
    rest.pop("settings", None)
    return {**dict(reported(description)), **rest}
