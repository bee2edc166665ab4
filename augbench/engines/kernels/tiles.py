"""Planes cut into tiles that overlap, which are transformed on the way, and the way back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from augbench.engines.kernels.code import Code
from augbench.engines.kernels.transforms import SIDE, Matrix, apply

__all__ = ["Planes", "Tiles", "cut", "join"]


@dataclass(frozen=True)
class Tiles:
    """The tiles of one image: `down` rows of `across` tiles, m·B numbers apart in a row.

    `at_once` rows of tiles are worked on together: their values, for each of 36 and each channel,
    are a run of memory [at_once, across, B]. Vectors over a batch have `lanes`, at most.
    """

    m: int
    lanes: int
    down: Any
    across: Any
    at_once: Any
    batch: Any

    @staticmethod
    def of(given: Any, k: int, lanes: int) -> Tiles:
        """Those that the arguments of a kernel tell of."""
        return Tiles(SIDE + 1 - k, lanes, given.down, given.across, given.at_once, given.batch)

    def length(self, code: Code, rows: Any) -> Any:
        """How long the values of so many rows of tiles are."""
        return code.product(rows, self.across, self.batch)

    def strip(self, code: Code) -> Any:
        """How long a row is that all of a row's tiles lie in."""
        return code.product(code.sum(code.product(self.across, self.m), SIDE - self.m), self.batch)

    @contextlib.contextmanager
    def blocks(self, code: Code) -> Iterator[tuple[Any, Any]]:
        """The first row of tiles of those worked on together, and the one after the last."""
        more = code.difference(code.sum(self.down, self.at_once), 1)
        with code.loop(0, code.build.sdiv(more, self.at_once)) as n:
            start = code.product(n, self.at_once)
            yield start, code.clamp(code.sum(start, self.at_once), most=self.down)


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
        """Where so many rows of a plane are, `top` and those below it."""
        above, elsewhere = code.product(plane, self.height), code.product(self.wide, SIDE)
        found = []
        for i in range(count):
            y = code.sum(top, i)
            at = code.at(self.first, code.product(code.sum(above, y), self.row))
            inside = code.build.icmp_unsigned("<", y, self.height)
            found.append(code.build.select(inside, at, code.at(self.strip, elsewhere)))
        return found


def cut(
    code: Code, matrix: Matrix, tiles: Tiles, planes: Planes, start: Any, stop: Any, values: Any
) -> None:
    """Tiles of planes → matrix · tile · matrixᵀ, into `values` [36, count, at_once, across, B].

    Of the rows of tiles from `start` to `stop`. Their columns are transformed first, a whole row of
    tiles at a time.
    """
    side, plane = len(matrix[0]), tiles.length(code, tiles.at_once)
    step, apart = code.product(tiles.m, tiles.batch), code.product(planes.count, plane)
    with code.loop(0, planes.count) as c, code.loop(start, stop) as q:
        top = code.difference(code.product(q, tiles.m), planes.top)
        rows = planes.rows(code, c, top, side)

        def down(x: Any, mask: Any) -> None:
            column = [code.load(code.at(row, x), mask=mask) for row in rows]
            for r, one in enumerate(apply(code, matrix, column)):
                at = code.sum(code.product(planes.wide, r), planes.left, x)
                code.store(one, code.at(planes.strip, at), mask)

        code.each(planes.row, down)
        own = code.sum(code.product(c, plane), tiles.length(code, code.difference(q, start)))
        with code.loop(0, SIDE) as r, code.loop(0, tiles.across) as t:
            tile = code.sum(code.product(r, planes.wide), code.product(t, step))
            into = code.sum(code.product(r, SIDE, apart), own, code.product(t, tiles.batch))
            _along(code, matrix, tiles, (planes.strip, tile, tiles.batch), (values, into, apart))


def _along(
    code: Code,
    matrix: Matrix,
    tiles: Tiles,
    source: tuple[Any, Any, Any],
    target: tuple[Any, Any, Any],
) -> None:
    """matrix · vectors over the batch; source and target: memory, the first, how far apart."""
    (memory, first, apart), (into, begin, behind) = source, target

    def some(b: Any, mask: Any) -> None:
        at = [code.sum(first, code.product(apart, j), b) for j in range(len(matrix[0]))]
        made = apply(code, matrix, [code.load(code.at(memory, one), mask=mask) for one in at])
        for j, one in enumerate(made):
            to = code.sum(begin, code.product(behind, j), b)
            code.store(one, code.at(into, to), mask)

    with code.narrowed(tiles.lanes):
        code.each(tiles.batch, some)


def join(
    code: Code,
    matrix: Matrix,
    tiles: Tiles,
    sums: Any,
    planes: Planes,
    start: Any,
    stop: Any,
    bias: Any,
    rectify: bool,
) -> None:
    """The reverse of `cut`, with a bias: sums [36, count, at_once, across, B] → planes.

    What reaches beyond a plane is left out.
    """
    plane = tiles.length(code, tiles.at_once)
    step, apart = code.product(tiles.m, tiles.batch), code.product(planes.count, plane)
    with code.loop(0, planes.count) as o, code.loop(start, stop) as q:
        own = code.sum(code.product(o, plane), tiles.length(code, code.difference(q, start)))
        with code.loop(0, SIDE) as r, code.loop(0, tiles.across) as t:
            tile = code.sum(code.product(r, SIDE, apart), own, code.product(t, tiles.batch))
            into = code.sum(code.product(r, planes.wide), code.product(t, step))
            _along(code, matrix, tiles, (sums, tile, apart), (planes.strip, into, tiles.batch))
        rows = planes.rows(code, o, code.product(q, tiles.m), tiles.m)
        own_bias = code.splat(code.load(code.at(bias, o), code.real))

        def down(x: Any, mask: Any) -> None:
            at = [code.sum(code.product(planes.wide, r), x) for r in range(SIDE)]
            column = [code.load(code.at(planes.strip, one), mask=mask) for one in at]
            for row, one in zip(rows, apply(code, matrix, column), strict=True):
                made = code.build.fadd(one, own_bias)
                made = code.rectified(made) if rectify else made
                code.store(made, code.at(row, x), mask)

        code.each(planes.row, down)
