"""Sums of products in registers: the innermost loops of every convolution."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from augbench.packed.codegen.code import INT, Code
from augbench.packed.codegen.processor import machine

__all__ = ["block_of", "emit_row", "tile_of", "widest_kernel"]

_MOST_OUTPUTS = 8


def widest_kernel() -> int:
    """The most columns that a convolution kernel may have."""
    return machine().sums


@lru_cache(maxsize=64)
def block_of(channels: int, most: int) -> int:
    """The most channels, up to `most`, that divide so many."""
    return next(n for n in range(min(most, channels), 0, -1) if channels % n == 0)


@lru_cache(maxsize=64)
def tile_of(outputs: int) -> int:
    """How many output channels a tile has: the divisor for which most registers hold sums."""
    divisors = [n for n in range(1, min(outputs, _MOST_OUTPUTS) + 1) if outputs % n == 0]
    return max(divisors, key=lambda n: (n * vectors_of(n), n))


def vectors_of(tile: int) -> int:
    """How many vectors of a row a tile spans."""
    return max(1, min(6, machine().sums // tile))


def emit_row(
    code: Code,
    tile: int,
    offsets: Sequence[Any],
    length: Any,
    first: Callable[[], list[Any]],
    each_row: Callable[[], contextlib.AbstractContextManager[tuple[Any, Any]]],
    write: Callable[[int, Any, Any, Any], None],
) -> None:
    """A row of a tile of outputs: sums in registers, of products of weights and rows of inputs.

    `first` gives the vectors that the outputs begin with, `each_row` goes over rows of inputs and
    their packed weights [kw, tile], of which those of column j meet what lies `offsets[j]` behind.
    `write` gets each output's number, a position in the row, the sums there, and a mask or None.
    """

    def some(x: Any, width: int, mask: Any = None) -> None:
        sums = [[code.variable(one) for _ in range(width)] for one in first()]
        with each_row() as (source, weights):
            for j, offset in enumerate(offsets):
                begin = code.at(source, code.sum(offset, x))
                values = [
                    code.load(code.at(begin, v * code.lanes), mask=mask) for v in range(width)
                ]
                for o, own in enumerate(sums):
                    at = code.at(weights, j * tile + o)
                    factor = code.splat(code.load(at, code.real))
                    for v in range(width):
                        code.multiply_add(factor, values[v], own[v])
        for o, own in enumerate(sums):
            for v in range(width):
                write(o, code.sum(x, v * code.lanes), code.get(own[v]), mask)

    position = code.variable(INT(0))
    for width in range(vectors_of(tile), 0, -1):
        with code.run(position, length, width * code.lanes) as x:
            some(x, width)
    with code.masked_run(position, length) as (x, mask):
        some(x, 1, mask)
