"""A component of a study: an augmentation, backbone or data set, with its provenance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["WORDS", "Component", "Kind", "ParameterValue"]

Kind = Literal["augmentation", "backbone", "dataset"]
WORDS: dict[Kind, str] = {
    "augmentation": "augmentation",
    "backbone": "backbone",
    "dataset": "data set",
}
"""The word for each kind in messages."""

ParameterValue = bool | int | float | str | None


@dataclass(frozen=True)
class Component:
    """A resolved component: a plain value that travels to workers and into the store.

    `parameters` holds every parameter, defaults included, sorted by name, so that `mixup` and
    `mixup:alpha=0.3` are the same component. `label` is for people: the name, with the
    parameters that differ from their defaults. `source_hash` is the SHA-256 of the source code
    that can change its results.
    """

    kind: Kind
    name: str
    parameters: tuple[tuple[str, ParameterValue], ...] = ()
    distribution: str = "augbench"
    version: str = ""
    source_hash: str = ""
    label: str = field(default="", compare=False)

    def identity(self) -> dict[str, Any]:
        """The part of a cell's key: all that can change the result, and nothing else."""
        return {
            "name": self.name,
            "parameters": dict(self.parameters),
            "distribution": self.distribution,
            "version": self.version,
            "source": self.source_hash,
        }
