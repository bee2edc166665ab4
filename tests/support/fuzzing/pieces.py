"""Pieces of networks: what a random backbone is put together from.

A piece is made for the shape of what comes in, a map (C, H, W) or a vector (D,). `map` pieces give
maps, `vector` pieces vectors, and an `end` turns a map into a vector; `any` pieces take both and
keep the shape. Settings are given as text, such as `conv:out=6,stride=2`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

__all__ = ["PIECES", "Call", "Kind", "Piece", "piece"]

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Kind:
    """A kind of piece: how it is built, the values of each setting, and how often it is drawn."""

    name: str
    room: str
    build: Callable[..., nn.Module]
    settings: dict[str, Sequence[Any]]
    weight: float
    odd: bool

    def draw(self, rng: np.random.Generator, *, plain: bool = False) -> Piece:
        """A piece of this kind with random settings; `plain` prefers the first of each."""
        drawn = {
            name: values[int(len(values) * rng.random() ** (4 if plain else 1))]
            for name, values in self.settings.items()
        }
        return Piece(self.name, tuple(drawn.items()))


@dataclass(frozen=True)
class Piece:
    """One piece of a network: a kind and its settings."""

    kind: str
    settings: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        plainest = PIECES[self.kind].settings
        told = [f"{name}={value}" for name, value in self.settings if value != plainest[name][0]]
        return f"{self.kind}:{','.join(told)}".removesuffix(":").replace(", ", "+")

    @classmethod
    def parse(cls, text: str) -> Piece:
        """The piece that a text names; settings left out have their first value."""
        name, _, rest = text.partition(":")
        if name not in PIECES:
            raise ValueError(f"unknown piece {name!r}; expected one of {', '.join(sorted(PIECES))}")
        given = dict(part.split("=", 1) for part in rest.split(",") if part)
        settings = {}
        for key, values in PIECES[name].settings.items():
            known = {str(value).replace(", ", "+"): value for value in values}
            text = given.pop(key, next(iter(known)))
            if text not in known:
                raise ValueError(f"{name}: expected {key} to be one of {list(known)}, got {text!r}")
            settings[key] = known[text]
        if given:
            raise ValueError(f"{name}: unknown settings {', '.join(given)}")
        return cls(name, tuple(settings.items()))

    def plainer(self) -> Iterator[Piece]:
        """The piece with one of its settings as plain as can be."""
        for position, (name, value) in enumerate(self.settings):
            plainest = PIECES[self.kind].settings[name][0]
            if value != plainest:
                settings = list(self.settings)
                settings[position] = (name, plainest)
                yield Piece(self.kind, tuple(settings))

    def build(self, shape: Shape) -> nn.Module:
        """The module, for inputs of a shape; raises whatever torch raises where it cannot be."""
        return PIECES[self.kind].build(shape, **dict(self.settings))


PIECES: dict[str, Kind] = {}


def piece(
    room: str, *, weight: float = 1, odd: bool = False, **settings: Sequence[Any]
) -> Callable[[Callable[..., nn.Module]], Callable[..., nn.Module]]:
    """Register a function (shape, **settings) → module as a kind of piece.

    A setting's first value is its plainest. An `odd` piece is one that a packing may have to
    refuse: a network has at most one.
    """

    def register(build: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        name = build.__name__.strip("_")
        PIECES[name] = Kind(name, room, build, settings, weight, odd)
        return build

    return register


class Call(nn.Module):
    """A function as a module, called as its author's `forward` would call it."""

    def __init__(self, function: Callable[..., Any], *modules: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(modules)

    def forward(self, x: Any) -> Any:
        return self.function(x, *self.parts)

    def extra_repr(self) -> str:
        return self.function.__name__
