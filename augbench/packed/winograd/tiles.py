"""Planes cut into tiles that overlap, which are transformed on the way, and the way back.

A row of tiles for a kernel of 3 (m = 4 outputs a tile, 6 inputs), of an input with padding 1:

    columns    -1  0  1  2  3  4  5  6  7  8
    tile 0      x  x  x  x  x  x                  → outputs 0 1 2 3
    tile 1                  x  x  x  x  x  x      → outputs 4 5 6 7

Transformed, number n of the 36 of a tile lies with number n of all other tiles of the block:

    values  [36][channels][rows of tiles][tiles of a row][B]

so that the sum over the channels, for each of the 36, is a matrix product of long rows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from augbench.packed.codegen.code import INT, Code
from augbench.packed.winograd.transforms import SIDE, Matrix, apply

__all__ = ["APART", "Block", "Planes", "Tiles", "cut", "join"]

APART = 16
"""Numbers between the values of one of the 36 and the next: a cache line, lest all of a tile's
values, a power of two apart, want the same few places of the first cache."""


class Block(NamedTuple):
    """Tiles worked on together: of the rows of tiles `top` to `bottom`, those `left` to `right`."""

    top: Any
    bottom: Any
    left: Any
    right: Any


@dataclass(frozen=True)
class Tiles:
    """The tiles of one image: `down` rows of `across` tiles, m·B numbers apart in a row.

    A block of `at_once` rows of `beside` tiles, at most, is worked on together: its values, for
    each of 36 and each channel, are a run of memory [rows, tiles of a row, B], with room for the
    largest block. Vectors over a batch have `lanes`, at most; the batches of so many neighbours as
    `together` says share a vector.
    """

    m: int
    lanes: int
    together: int
    down: Any
    across: Any
    at_once: Any
    beside: Any
    batch: Any

    @staticmethod
    def of(given: Any, k: int, lanes: int, together: int) -> Tiles:
        """The tiles that a kernel's arguments describe."""
        shape = given.down, given.across, given.at_once, given.beside
        return Tiles(SIDE + 1 - k, lanes, together, *shape, given.batch)

    def room(self, code: Code) -> Any:
        """The room that one channel's values of a block are given, in numbers."""
        return code.product(self.at_once, self.beside, self.batch)

    def apart(self, code: Code, count: Any) -> Any:
        """The distance between two of the 36 numbers, for `count` channels."""
        return code.sum(code.product(count, self.room(code)), APART)

    def row(self, code: Code, block: Block) -> Any:
        """The length of the values of a row of a block."""
        return code.product(code.difference(block.right, block.left), self.batch)

    def length(self, code: Code, block: Block) -> Any:
        """The length of the values of a block."""
        return code.product(code.difference(block.bottom, block.top), self.row(code, block))

    def strip(self, code: Code) -> Any:
        """The length of a row that all of a row's tiles lie in."""
        return code.product(code.sum(code.product(self.across, self.m), SIDE - self.m), self.batch)

    @contextlib.contextmanager
    def blocks(self, code: Code) -> Iterator[Block]:
        """One block after the other."""
        with (
            self._parts(code, self.down, self.at_once) as (top, bottom),
            self._parts(code, self.across, self.beside) as (left, right),
        ):
            yield Block(top, bottom, left, right)

    @contextlib.contextmanager
    def _parts(self, code: Code, count: Any, size: Any) -> Iterator[tuple[Any, Any]]:
        more = code.difference(code.sum(count, size), 1)
        with code.loop(0, code.build.sdiv(more, size)) as n:
            start = code.product(n, size)
            yield start, code.clamp(code.sum(start, size), most=count)


@dataclass(frozen=True)
class Planes:
    """Planes [count, height, row] to be cut into tiles, between zeros.

    The first tile begins `top` rows above and `left` numbers before them. `strip` is room for 7
    rows of `wide` numbers: for 6 transformed ones, which are zero but where the planes' rows go,
    and one in the place of those that are none of the planes'.
    """

    first: Any
    count: Any
    height: Any
    row: Any
    strip: Any
    wide: Any
    top: Any
    left: Any

    def rows(self, code: Code, plane: Any, top: Any, count: int) -> list[Any]:
        """The addresses of `count` rows of a plane, `top` and those below it."""
        above, elsewhere = code.product(plane, self.height), code.product(self.wide, SIDE)
        found = []
        for i in range(count):
            y = code.sum(top, i)
            at = code.at(self.first, code.product(code.sum(above, y), self.row))
            # One comparison for both ends: as an unsigned number, row −1 is the largest there is.
            inside = code.build.icmp_unsigned("<", y, self.height)
            found.append(code.build.select(inside, at, code.at(self.strip, elsewhere)))
        return found


def cut(
    code: Code, matrix: Matrix, tiles: Tiles, planes: Planes, block: Block, values: Any
) -> None:
    """Tiles of planes → matrix · tile · matrixᵀ, into `values` [36, count · room, and `APART`].

    Their columns are transformed first, those of a whole row of tiles at a time.
    """
    side, room = len(matrix[0]), tiles.room(code)
    step, apart = code.product(tiles.m, tiles.batch), tiles.apart(code, planes.count)
    # Tiles overlap by what their sides are longer than their distance.
    over = code.product(tiles.batch, side - tiles.m)
    first = code.difference(code.product(block.left, step), planes.left)
    last = code.sum(code.product(block.right, step), over)
    first = code.clamp(first, least=0)
    last = code.clamp(code.difference(last, planes.left), most=planes.row)
    with code.loop(0, planes.count) as c, code.loop(block.top, block.bottom) as q:
        top = code.difference(code.product(q, tiles.m), planes.top)
        rows = planes.rows(code, c, top, side)

        def down(x: Any, mask: Any) -> None:
            column = [code.load(code.at(row, x), mask=mask) for row in rows]
            for r, one in enumerate(apply(code, matrix, column)):
                at = code.sum(code.product(planes.wide, r), planes.left, x)
                code.store(one, code.at(planes.strip, at), mask)

        code.each(last, down, start=first)
        above = code.product(code.difference(q, block.top), tiles.row(code, block))
        own = code.sum(code.product(c, room), above)
        with code.loop(0, SIDE) as r:
            start = code.sum(code.product(r, planes.wide), code.product(block.left, step))
            into = code.sum(code.product(r, SIDE, apart), own)
            source = _Row(planes.strip, start, tiles.batch, step)
            target = _Row(values, into, apart, tiles.batch)
            _along(code, matrix, tiles, block, source, target)


class _Row(NamedTuple):
    """A row of tiles: where it begins, and how far apart columns of a tile, and tiles, lie."""

    memory: Any
    first: Any
    columns: Any
    tiles: Any

    def at(self, code: Code, tile: Any, column: int, image: Any = 0) -> Any:
        """Address of a column of a tile, in the batch from an image on."""
        offset = code.sum(code.product(tile, self.tiles), code.product(self.columns, column))
        return code.at(self.memory, code.sum(self.first, offset, image))


def _along(
    code: Code, matrix: Matrix, tiles: Tiles, block: Block, source: _Row, target: _Row
) -> None:
    """matrix · columns of each tile of a row, in vectors over the batch."""
    columns, position = len(matrix[0]), code.variable(INT(0))
    count = code.difference(block.right, block.left)

    def whole(t: Any) -> None:
        """As many tiles as fill a vector."""

        def joined(row: _Row, column: int) -> Any:
            parts = [row.at(code, code.sum(t, n), column) for n in range(tiles.together)]
            return code.joined([code.load(one) for one in parts])

        def split(row: _Row, column: int, vector: Any) -> None:
            for n, part in enumerate(code.split(vector, tiles.together)):
                code.store(part, row.at(code, code.sum(t, n), column))

        made = apply(code, matrix, [joined(source, j) for j in range(columns)])
        for j, one in enumerate(made):
            split(target, j, one)

    def each(t: Any) -> None:
        def some(b: Any, mask: Any) -> None:
            at = [source.at(code, t, j, b) for j in range(columns)]
            made = apply(code, matrix, [code.load(one, mask=mask) for one in at])
            for j, one in enumerate(made):
                code.store(one, target.at(code, t, j, b), mask)

        code.each(tiles.batch, some)

    with code.narrowed(tiles.lanes):
        if tiles.together > 1:
            with code.run(position, count, tiles.together) as t:
                whole(t)
        with code.run(position, count, 1) as t:
            each(t)


def join(
    code: Code,
    matrix: Matrix,
    tiles: Tiles,
    sums: Any,
    planes: Planes,
    block: Block,
    bias: Any,
    shortcut: Any,
    rectify: bool,
) -> None:
    """The reverse of `cut`, with a bias: sums [36, count · room, and `APART`] → planes.

    What reaches beyond a plane is left out. A `shortcut`, if any, are planes to be added.
    """
    room = tiles.room(code)
    step, apart = code.product(tiles.m, tiles.batch), tiles.apart(code, planes.count)
    first = code.product(block.left, step)
    last = code.clamp(code.product(block.right, step), most=planes.row)
    with code.loop(0, planes.count) as o, code.loop(block.top, block.bottom) as q:
        above = code.product(code.difference(q, block.top), tiles.row(code, block))
        own = code.sum(code.product(o, room), above)
        with code.loop(0, SIDE) as r:
            start = code.sum(code.product(r, SIDE, apart), own)
            into = code.sum(code.product(r, planes.wide), code.product(block.left, step))
            source = _Row(sums, start, apart, tiles.batch)
            target = _Row(planes.strip, into, tiles.batch, step)
            _along(code, matrix, tiles, block, source, target)
        top = code.product(q, tiles.m)
        rows = planes.rows(code, o, top, tiles.m)
        others = shortcut and replace(planes, first=shortcut).rows(code, o, top, tiles.m)
        own_bias = code.splat(code.load(code.at(bias, o), code.real))

        def down(x: Any, mask: Any) -> None:
            at = [code.sum(code.product(planes.wide, r), x) for r in range(SIDE)]
            column = [code.load(code.at(planes.strip, one), mask=mask) for one in at]
            for n, (row, one) in enumerate(zip(rows, apply(code, matrix, column), strict=True)):
                made = code.build.fadd(one, own_bias)
                if others:
                    also = code.load(code.at(others[n], x), mask=mask)
                    made = code.build.fadd(made, also)
                made = code.rectified(made) if rectify else made
                code.store(made, code.at(row, x), mask)

        code.each(last, down, start=first)
