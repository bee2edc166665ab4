"""Measurement under shift: the corrupted test sets of a study, and the names of their accuracies.

A study may hold less than a store does, so what is stored is the accuracy on each corrupted test
set; the mean over those of one study is computed when its results are read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from augbench.plugins.components import Component
from augbench.plugins.parameters import written

__all__ = ["SHIFT_ACCURACY", "ShiftTest", "is_shift_metric", "shift_metric"]

SHIFT_ACCURACY = "shift_accuracy"
"""The metric that is the mean over all corrupted test sets of a study."""

_BEGINNING = "accuracy["


def shift_metric(corruption: Component) -> str:
    """The name of the accuracy under a corruption, as `accuracy[noise:strength=1 3f9a04c2d1e7]`.

    Its end is a hash of the corruption's identity: numbers of code that has changed since are
    never taken for those of today.
    """
    text = json.dumps(corruption.identity(), sort_keys=True, separators=(",", ":"))
    own = corruption.distribution == "augbench"
    name = corruption.name if own else f"{corruption.distribution}:{corruption.name}"
    return (
        f"{_BEGINNING}{_spec(corruption, name)} {hashlib.sha256(text.encode()).hexdigest()[:12]}]"
    )


def is_shift_metric(name: str) -> bool:
    """True for the name of an accuracy under a corruption."""
    return name.startswith(_BEGINNING)


def _spec(corruption: Component, name: str, without: frozenset[str] = frozenset()) -> str:
    """A name with the parameters that are set."""
    told = [
        f"{parameter}={written(value)}"
        for parameter, value in corruption.parameters
        if parameter in corruption.varied - without
    ]
    return f"{name}:{','.join(told)}" if told else name


@dataclass(frozen=True)
class ShiftTest:
    """One corrupted test set: the corruption at its strength, and what it does to an image."""

    component: Component
    operations: frozenset[str] = field(default=frozenset(), compare=False)

    @cached_property
    def metric(self) -> str:
        """The name of its accuracy in a cell's metrics."""
        return shift_metric(self.component)

    @property
    def strength(self) -> int:
        """1, 2 or 3."""
        return int(str(dict(self.component.parameters)["strength"]))

    @property
    def kind(self) -> str:
        """The corruption without its strength, such as `occlusion:fill=0`."""
        return _spec(self.component, self._shown, frozenset({"strength"}))

    @property
    def column(self) -> str:
        """The name of its accuracy in exports."""
        return f"{_BEGINNING}{_spec(self.component, self._shown)}]"

    @property
    def _shown(self) -> str:
        """The name as studies have it: with its distribution where the name alone is not enough."""
        name = f"{self.component.distribution}:{self.component.name}"
        return name if self.component.label.startswith(name) else self.component.name

    def to_json(self) -> dict[str, Any]:
        """A description for the store; `from_json` reads it back."""
        return {"corruption": self.component.to_json(), "operations": sorted(self.operations)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ShiftTest:
        """The test that `to_json` wrote."""
        return cls(Component.from_json(stored["corruption"]), frozenset(stored["operations"]))
