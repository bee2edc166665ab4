"""A component: an augmentation, backbone, data set, executor or corruption, with its provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["CONSTRUCTED", "WORDS", "Component", "Kind", "ParameterValue"]

Kind = Literal["augmentation", "backbone", "dataset", "executor", "corruption"]
WORDS: dict[Kind, str] = {
    "augmentation": "augmentation",
    "backbone": "backbone",
    "dataset": "data set",
    "executor": "executor",
    "corruption": "corruption",
}
"""The word for each kind in messages."""

CONSTRUCTED: frozenset[Kind] = frozenset({"augmentation", "corruption"})
"""The kinds whose components are classes: parameters go to the constructor, images to the call."""

ParameterValue = bool | int | float | str | None


@dataclass(frozen=True)
class Component:
    """A resolved component: a plain value that travels to workers and into the store.

    `parameters` holds every parameter, defaults included, sorted by name, so that `mixup` and
    `mixup:alpha=0.3` are the same component; `varied` names those that differ from their
    defaults. `label` is for people: the name, with the parameters that differ. `source_hash` is
    the SHA-256 of the source code that can change its results.
    """

    kind: Kind
    name: str
    parameters: tuple[tuple[str, ParameterValue], ...] = ()
    distribution: str = "augbench"
    version: str = ""
    source_hash: str = ""
    varied: frozenset[str] = field(default=frozenset(), compare=False)
    label: str = field(default="", compare=False)

    def identity(self) -> dict[str, Any]:
        """The part of a cell's key: all that can change the result, and nothing else.

        A parameter at its default does not enter it, nor does a version: a release that adds a
        parameter, or changes nothing here, leaves stored cells valid. The source tells the rest,
        and only where it cannot be read, the version does.
        """
        return {
            "name": self.name,
            "parameters": {name: value for name, value in self.parameters if name in self.varied},
            "distribution": self.distribution,
            "source": self.source_hash or f"version {self.version}",
        }

    def to_json(self) -> dict[str, Any]:
        """All of it, for the store; `from_json` reads it back."""
        return {
            "kind": self.kind,
            "label": self.label,
            "name": self.name,
            "parameters": dict(self.parameters),
            "varied": sorted(self.varied),
            "distribution": self.distribution,
            "version": self.version,
            "source": self.source_hash,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Component:
        """The component that `to_json` wrote."""
        return cls(
            kind=stored["kind"],
            name=stored["name"],
            parameters=tuple(sorted(stored["parameters"].items())),
            distribution=stored["distribution"],
            version=stored["version"],
            source_hash=stored["source"],
            varied=frozenset(stored["varied"]),
            label=stored["label"],
        )
