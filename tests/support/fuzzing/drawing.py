"""From a seed to a network, and from a line of text to the same network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from augbench.packed.dropout import own_dropout
from fuzzing.pieces import PIECES, Piece

__all__ = ["Case", "alone", "draw"]

_MOST_PIXELS = 400
_MOST_CHANNELS = 24
_MOST_NUMBERS = 600  # of a vector


@dataclass(frozen=True)
class Case:
    """A network, and how it is trained."""

    pieces: tuple[Piece, ...]
    image: tuple[int, int, int] = (1, 8, 8)
    batch: int = 4
    cells: int = 3
    rate: float = 0.05
    scale: float = 1.0

    def __str__(self) -> str:
        settings = [
            f"{name}={'x'.join(map(str, value)) if isinstance(value, tuple) else value}"
            for name, value in vars(self).items()
            if name != "pieces" and value != getattr(Case, name)
        ]
        return " ".join([*settings, *map(str, self.pieces)])

    @classmethod
    def parse(cls, text: str) -> Case:
        """The case of a line such as `image=3x9x12 batch=1 conv:out=6 relu flatten`."""
        given: dict[str, Any] = {}
        pieces = []
        for word in text.split():
            name, equals, value = word.partition("=")
            if equals and ":" not in name:
                given[name] = (
                    tuple(map(int, value.split("x"))) if name == "image"
                    else (float if name in ("rate", "scale") else int)(value)
                )  # fmt: skip
            else:
                pieces.append(Piece.parse(word))
        return cls(tuple(pieces), **given)

    def backbone(self, k: int) -> nn.Module:
        """The network of cell k, with its own weights and dropout streams."""
        torch.manual_seed(k)
        made = self.network()
        dim = made.feature_dim
        made = own_dropout(made, lambda layer: np.random.default_rng([k, layer]))
        made.feature_dim = dim
        return made

    def network(self) -> nn.Module:
        """A network with weights from torch's generator, as a plugin's factory makes one.

        Raises what torch raises where the pieces do not fit together.
        """
        layers: list[nn.Module] = []
        x = torch.rand(max(self.batch, 2), *self.image)
        with torch.no_grad():
            for one in self.pieces:
                layers.append(one.build(tuple(x.shape[1:])))
                # In eval mode, and of a copy: counters and statistics start from their beginning.
                x = _probed(layers[-1], x)
        made = nn.Sequential(*layers)
        made.feature_dim = x.shape[1]  # type: ignore[assignment]
        return made

    def trains(self, room: str = "end") -> bool:
        """True if torch can train this network, its size is bearable, and it ends in `room`."""
        try:
            one = self.backbone(0).train()
            images = torch.rand(self.batch, *self.image, requires_grad=True)
            y = one(images * 1)
            y.sum().backward()
        except (RuntimeError, ValueError, IndexError, AssertionError, TypeError):
            return False
        if not y.isfinite().all() or len(y) != self.batch:
            return False
        if room == "map":
            pixels = y[0, 0].numel() if y.ndim == 4 else 0
            return 0 < pixels <= _MOST_PIXELS and y.shape[1] <= _MOST_CHANNELS
        return y.ndim == 2 and 0 < y.shape[1] <= _MOST_NUMBERS

    def simpler(self) -> Iterator[Case]:
        """Cases of a piece less, then with a setting as plain as it can be."""
        for position in range(len(self.pieces)):
            yield replace(self, pieces=self.pieces[:position] + self.pieces[position + 1 :])
        for name in ("image", "batch", "cells", "rate", "scale"):
            if getattr(self, name) != getattr(Case, name):
                yield replace(self, **{name: getattr(Case, name)})
        for position, piece in enumerate(self.pieces):
            for plainer in piece.plainer():
                pieces = (*self.pieces[:position], plainer, *self.pieces[position + 1 :])
                yield replace(self, pieces=pieces)


def _probed(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    import copy

    return copy.deepcopy(layer).eval()(x.clone())


def draw(seed: int) -> Case:
    """The case of a seed: a network that torch can train with it."""
    rng = np.random.default_rng(seed)
    side = int(rng.choice([6, 8, 8, 9, 10, 12]))
    other = side if rng.random() < 0.6 else int(rng.choice([5, 7, 8, 11, 14]))
    case = Case(
        (),
        image=(int(rng.choice([1, 3])), side, other),
        batch=int(rng.choice([1, 2, 3, 4, 5, 7, 8, 8, 12, 16])),
        cells=int(rng.choice([2, 2, 3, 4])),
        rate=float(rng.choice([0.01, 0.05, 0.1])),
        scale=float(rng.choice([1, 1, 1, 1, 1, 1, 1, 1, 1e30, 1e-30])),
    )
    odd = rng.random() < 0.25
    maps, vectors = int(rng.integers(1, 7)), int(rng.integers(0, 4))
    rooms = ["map"] * maps + ["end"] + ["vector"] * vectors
    # Many networks are of the usual kinds only: else hardly one had rules for all its pieces.
    least = float(rng.choice([3, 3, 2, 0]))
    odd_at = int(rng.integers(len(rooms))) if odd else -1
    for position, room in enumerate(rooms):
        grown = _grown(case, room, rng, odd=position == odd_at and room != "end", least=least)
        case = case if grown is None else grown
        if grown is None and room == "end":
            return draw(seed + 1_000_003)
    return case


def alone(kind: str, batch: int) -> Iterator[Case]:
    """One kind of piece with each value of each of its settings, between everyday layers.

    What torch cannot train with images of 3 × 8 × 9 is left out.
    """
    plainest = Piece.parse(kind)
    made = {plainest: None}
    for position, (name, _) in enumerate(plainest.settings):
        for value in PIECES[kind].settings[name]:
            settings = list(plainest.settings)
            settings[position] = (name, value)
            made[Piece(kind, tuple(settings))] = None
    around = {"end": "conv3 {} linear", "vector": "conv3 pooled {} linear"}
    line = around.get(PIECES[kind].room, "conv3 {} pooled")
    for one in made:
        case = Case.parse(f"image=3x8x9 batch={batch} cells=2 {line.format(one)}")
        if case.trains():
            yield case


def _grown(
    case: Case, room: str, rng: np.random.Generator, *, odd: bool, least: float
) -> Case | None:
    """The case with one more piece that fits, or None if none is found."""
    kinds = [
        kind
        for kind in PIECES.values()
        if (kind.room == room or (kind.room == "any" and room != "end"))
        and kind.odd == odd
        and (kind.weight >= least or odd)
    ]
    weights = np.array([kind.weight for kind in kinds])
    for _ in range(12):
        kind = kinds[rng.choice(len(kinds), p=weights / weights.sum())]
        grown = replace(case, pieces=(*case.pieces, kind.draw(rng, plain=least >= 2 and not odd)))
        if grown.trains(room):
            return grown
    return None
