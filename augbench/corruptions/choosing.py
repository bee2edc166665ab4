"""The corruptions that a study names: `standard`, or specs, each at strengths 1, 2 and 3."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from augbench.corruptions.contract import STRENGTHS
from augbench.errors import UnknownNameError, UsageError
from augbench.plugins.parameters import split_outside_quotes
from augbench.plugins.suggestion import suggestion

if TYPE_CHECKING:
    from augbench.plugins.components import Component
    from augbench.plugins.registry import Registry

__all__ = ["STANDARD", "corruptions_of", "specs_of"]

STANDARD = (
    "noise",
    "blur",
    "contrast",
    "brightness",
    "elastic",
    "occlusion",
    "jpeg",
    "translation",
    "rotation",
)
"""The names that `standard` stands for."""

_CONTINUES = re.compile(r"\s*[^\W\d]\w*\s*=")
"""The beginning of a further parameter, which belongs to the spec before the comma."""


def corruptions_of(registry: Registry, texts: str | Iterable[str]) -> tuple[Component, ...]:
    """Resolve the corruptions that texts name: each at strengths 1, 2 and 3, in this order.

    A text is `standard` or a spec, or several joined by commas (`noise,occlusion:fill=0`). What is
    named twice counts once. Raises `UnknownNameError` for a name that is not there,
    `ParameterError` for a parameter that is wrong (the strength is one of them: all three are
    measured), `UsageError` for an empty text.
    """
    found: dict[Component, None] = {}
    for spec in specs_of(texts):
        try:
            registry.info("corruption", spec)
        except UnknownNameError:
            near = suggestion(spec, ["standard"])  # a word that no registry knows
            if near:
                raise UnknownNameError(f"there is no corruption {spec!r}{near}") from None
            raise
        for strength in STRENGTHS:
            component = registry.resolve("corruption", spec, {"strength": strength})
            found.setdefault(component, None)
    return tuple(found)


def specs_of(texts: str | Iterable[str]) -> tuple[str, ...]:
    """Split texts at their commas, and write out `standard`; no name is looked up."""
    specs: list[str] = []
    for text in (texts,) if isinstance(texts, str) else texts:
        parts: list[str] = []
        for part in split_outside_quotes(text, ","):
            if parts and _CONTINUES.match(part):
                parts[-1] += f",{part}"
            else:
                parts.append(part)
        for part in parts:
            spec = part.strip()
            if not spec:
                raise UsageError(
                    f"expected 'standard', or names of corruptions joined by commas, got {text!r}"
                )
            # By its full name: whatever else is installed, these are the standard ones.
            own = [f"augbench:{name}" for name in STANDARD]
            specs += own if spec == "standard" else [spec]
    return tuple(dict.fromkeys(specs))
