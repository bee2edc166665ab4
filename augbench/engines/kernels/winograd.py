"""Convolution of stride 1 with fewer products: Winograd's minimal filtering F(m×m, k×k).

Tiles of m×m outputs look at 6×6 inputs, m = 7 − k. Both the tile and the kernel are transformed to
6×6 values, whose products, summed over the channels, are transformed back: 36 products for m²·k²
(Lavin & Gray 2016, arXiv 1509.09308, sections 3 and 4). As each of the 36 is a matrix product of
weights and values, the sums are those of a 1×1 convolution.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from augbench.engines.kernels.code import INT, Code
from augbench.engines.kernels.convolution import Sizes, Weights
from augbench.engines.kernels.processor import Kernel, machine
from augbench.engines.kernels.products import block_of, emit_row
from augbench.engines.kernels.transposition import SQUARE, emit_transposition

__all__ = ["SIDE", "winograd", "winograd_weight_gradient"]

SIDE = 6
"""Rows and columns of a transformed tile."""

# Where the polynomials of a tile and a kernel are multiplied, with infinity as the last. Of points
# whose inverses are points too, the powers grow least: in float32, the error of a sum along one
# side is 2.3 times that of the plain sum, and 3.4 times with 0, ±1 and ±2.
_POINTS = [Fraction(0), Fraction(2, 3), Fraction(-2, 3), Fraction(3, 2), Fraction(-3, 2)]

Matrix = list[list[Fraction]]


@lru_cache(maxsize=8)
def _matrices(k: int) -> tuple[Matrix, Matrix, Matrix]:
    """Aᵀ [m, 6], G [6, k] and Bᵀ [6, 6] of y = Aᵀ((G·w) ⊙ (Bᵀ·x)), by Toom and Cook.

    A kernel's and the outputs' values are taken at the points, and Bᵀ is the interpolation that
    belongs to them, transposed.
    """
    m = SIDE + 1 - k
    others = [[q for q in _POINTS if q != p] for p in _POINTS]
    kernel, inputs = [], []
    for p, rest in zip(_POINTS, others, strict=True):
        scale = Fraction(1)
        for q in rest:
            scale *= p - q
        kernel.append([p**power / scale for power in range(k)])
        inputs.append([*_expanded(rest), Fraction(0)])
    kernel.append([Fraction(power == k - 1) for power in range(k)])
    inputs.append(_expanded(_POINTS))
    outputs = [[*(p**row for p in _POINTS), Fraction(row == m - 1)] for row in range(m)]
    return outputs, kernel, inputs


def _expanded(roots: Sequence[Fraction]) -> list[Fraction]:
    """The coefficients of the polynomial with these roots, the lowest power's first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        coefficients = [s - root * c for s, c in zip(shifted, [*coefficients, 0], strict=True)]
    return coefficients


def _transposed(matrix: Matrix) -> Matrix:
    return [list(row) for row in zip(*matrix, strict=True)]


def _apply(code: Code, matrix: Matrix, vectors: Sequence[Any]) -> list[Any]:
    """matrix · vectors; rows and columns that differ in signs only share their products.

    These are the ones of two opposite points: their even powers are equal, their odd ones opposite.
    """
    columns = _transposed(matrix)
    vectors = list(vectors)
    for a, b in _twins(columns):
        same = [x == y for x, y in zip(columns[a], columns[b], strict=True)]
        vectors[a], vectors[b] = (
            code.build.fadd(vectors[a], vectors[b]),
            code.build.fsub(vectors[a], vectors[b]),
        )
        columns[a], columns[b] = (
            [x if s else Fraction(0) for s, x in zip(same, columns[a], strict=True)],
            [x if not s else Fraction(0) for s, x in zip(same, columns[a], strict=True)],
        )
    rows = _transposed(columns)
    twins = dict(_twins(rows))
    made: dict[int, Any] = {}
    for n, row in enumerate(rows):
        if n in made:
            continue
        if n not in twins:
            made[n] = code.weighted(row, vectors)
            continue
        other = rows[twins[n]]
        even = code.weighted([x if x == y else 0 for x, y in zip(row, other, strict=True)], vectors)
        odd = code.weighted([x if x != y else 0 for x, y in zip(row, other, strict=True)], vectors)
        made[n], made[twins[n]] = code.build.fadd(even, odd), code.build.fsub(even, odd)
    return [made[n] for n in range(len(rows))]


def _twins(rows: Matrix) -> list[tuple[int, int]]:
    """The pairs of rows, one behind the other, that differ in some signs and in nothing else."""
    return [
        (n, n + 1)
        for n, (row, other) in enumerate(zip(rows, rows[1:], strict=False))
        if row != other and [*map(abs, row)] == [*map(abs, other)]
    ]


@dataclass(frozen=True)
class _Tiles:
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
    def of(given: Any, k: int, lanes: int) -> _Tiles:
        return _Tiles(
            SIDE + 1 - k, lanes, given.down, given.across, given.at_once, given.batch
        )

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
class _Planes:
    """Planes [count, height, row] to be cut into tiles, between zeros.

    The first tile begins `top` rows above and `left` numbers before them. `strip` is room for 6
    rows, of `wide` numbers each, which are zero but where the planes' rows go; `zeros` is a row.
    """

    count: Any
    height: Any
    row: Any
    top: Any
    left: Any
    first: Any
    strip: Any
    wide: Any
    zeros: Any


def _cut(
    code: Code, matrix: Matrix, tiles: _Tiles, planes: _Planes, start: Any, stop: Any, values: Any
) -> None:
    """Tiles of planes → matrix · tile · matrixᵀ, into `values` [36, count, at_once, across, B].

    Of the rows of tiles from `start` to `stop`. Their columns are transformed first, a whole row of
    tiles at a time.
    """
    side, plane = len(matrix[0]), tiles.length(code, tiles.at_once)
    step, apart = code.product(tiles.m, tiles.batch), code.product(planes.count, plane)
    with code.loop(0, planes.count) as c, code.loop(start, stop) as q:
        top, above = code.product(q, tiles.m), code.product(c, planes.height)
        rows = []
        for i in range(side):
            y = code.difference(code.sum(top, i), planes.top)
            at = code.at(planes.first, code.product(code.sum(above, y), planes.row))
            inside = code.build.icmp_unsigned("<", y, planes.height)
            rows.append(code.build.select(inside, at, planes.zeros))

        def down(x: Any, mask: Any) -> None:
            column = [code.load(code.at(row, x), mask=mask) for row in rows]
            for r, one in enumerate(_apply(code, matrix, column)):
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
    tiles: _Tiles,
    source: tuple[Any, Any, Any],
    target: tuple[Any, Any, Any],
) -> None:
    """matrix · vectors over the batch; source and target: memory, the first, how far apart."""
    (memory, first, apart), (into, begin, behind) = source, target

    def some(b: Any, mask: Any) -> None:
        at = [code.sum(first, code.product(apart, j), b) for j in range(len(matrix[0]))]
        made = _apply(code, matrix, [code.load(code.at(memory, one), mask=mask) for one in at])
        for j, one in enumerate(made):
            to = code.sum(begin, code.product(behind, j), b)
            code.store(one, code.at(into, to), mask)

    with code.narrowed(tiles.lanes):
        code.each(tiles.batch, some)


def _joined(
    code: Code,
    matrix: Matrix,
    tiles: _Tiles,
    sums: Any,
    planes: _Planes,
    start: Any,
    stop: Any,
    bias: Any,
    rectify: bool,
) -> None:
    """The reverse of `_cut`, with a bias: sums [36, count, at_once, across, B] → planes.

    What reaches beyond a plane is left out: rows of it go to `zeros`, which are none then.
    """
    plane = tiles.length(code, tiles.at_once)
    step, apart = code.product(tiles.m, tiles.batch), code.product(planes.count, plane)
    with code.loop(0, planes.count) as o, code.loop(start, stop) as q:
        own = code.sum(code.product(o, plane), tiles.length(code, code.difference(q, start)))
        with code.loop(0, SIDE) as r, code.loop(0, tiles.across) as t:
            tile = code.sum(code.product(r, SIDE, apart), own, code.product(t, tiles.batch))
            into = code.sum(code.product(r, planes.wide), code.product(t, step))
            _along(code, matrix, tiles, (sums, tile, apart), (planes.strip, into, tiles.batch))
        top, above = code.product(q, tiles.m), code.product(o, planes.height)
        rows = []
        for i in range(tiles.m):
            y = code.sum(top, i)
            at = code.at(planes.first, code.product(code.sum(above, y), planes.row))
            inside = code.build.icmp_unsigned("<", y, planes.height)
            rows.append(code.build.select(inside, at, planes.zeros))
        own_bias = code.splat(code.load(code.at(bias, o), code.real))

        def down(x: Any, mask: Any) -> None:
            at = [code.sum(code.product(planes.wide, r), x) for r in range(SIDE)]
            column = [code.load(code.at(planes.strip, one), mask=mask) for one in at]
            for row, one in zip(rows, _apply(code, matrix, column), strict=True):
                made = code.build.fadd(one, own_bias)
                made = code.rectified(made) if rectify else made
                code.store(made, code.at(row, x), mask)

        code.each(planes.row, down)


@lru_cache(maxsize=32)
def winograd(k: int, tile: int, turned: bool, rectify: bool, lanes: int, bits: int) -> Kernel:
    """Compile the convolution of G groups with kernels k×k, 3 or 5, and a stride of 1.

    Outputs are in tiles of so many channels. Its arguments: output [G·outputs, rows, columns, B];
    room for one group's weights [36·outputs·channels], its values [36·channels·at_once·across·B]
    and their sums [36·outputs·at_once·across·B]; a strip of zeros [7, wide] and one of anything;
    input [G·channels, height, width, B], weights [G·outputs, channels, k, k], or, if they are to be
    `turned` round, [G·channels, outputs, k, k], and bias [G·outputs]; G, outputs, channels, height,
    width, rows, columns, B, rows and columns of zeros before the input, how many rows of tiles
    there are, of how many tiles, and how many such rows are worked on together. Of B images,
    `lanes` make a vector, at most.
    """
    code = Code(
        f"winograd_{k}_{tile}_{turned}_{rectify}_{lanes}_{bits}".lower(),
        "out packed values sums strip lines source weights bias",
        "groups outputs channels height width rows columns batch top left down across at_once",
        bits=bits,
    )
    given, tiles = code.given, _Tiles.of(code.given, k, lanes)
    back, _, forth = _matrices(k)
    row, length = (code.product(n, given.batch) for n in (given.width, given.columns))
    sizes = Sizes.of(given, row=row, length=length, stride=INT(1), padding=given.top, kh=k, kw=k)
    wide = tiles.strip(code)
    with code.loop(0, given.groups) as g:
        weights = sizes.weights(code, given.weights, g)
        if turned:
            before = replace(sizes, outputs=sizes.channels, channels=sizes.outputs, kw=INT(k))
            own = Weights.turned(code, weights, before)
        else:
            own = Weights.plain(code, weights, replace(sizes, kw=INT(k)))
        _pack(code, k, tile, sizes, own, given.packed)
        inputs = _Planes(
            count=given.channels,
            height=given.height,
            row=row,
            top=given.top,
            left=code.product(given.left, given.batch),
            first=sizes.source(code, given.source, g),
            strip=given.strip,
            wide=wide,
            zeros=code.at(given.strip, code.product(SIDE, wide)),
        )
        outputs = _Planes(
            count=given.outputs,
            height=given.rows,
            row=length,
            top=INT(0),
            left=INT(0),
            first=sizes.out(code, given.out, g),
            strip=given.lines,
            wide=wide,
            zeros=code.at(given.lines, code.product(SIDE, wide)),
        )
        own_bias = code.at(given.bias, code.product(g, given.outputs))
        with tiles.blocks(code) as (start, stop):
            _cut(code, forth, tiles, inputs, start, stop, given.values)
            _multiply(code, tile, tiles, sizes, start, stop, given)
            _joined(code, back, tiles, given.sums, outputs, start, stop, own_bias, rectify)
    return machine().compile(code.done())


def _pack(code: Code, k: int, tile: int, sizes: Sizes, weights: Weights, packed: Any) -> None:
    """A group's weights, transformed, as [36, outputs / tile, channels, tile]."""
    matrix = _matrices(k)[1]
    tiles = code.build.sdiv(sizes.outputs, INT(tile))
    apart = code.product(sizes.outputs, sizes.channels)
    with code.loop(0, tiles) as n, code.loop(0, sizes.channels) as c:
        kernel = [
            [weights.of_tile(code, tile, n, c, INT(i), j) for j in range(k)] for i in range(k)
        ]
        into = code.product(code.sum(code.product(n, sizes.channels), c), tile)
        for number, one in enumerate(_both_sides(code, matrix, kernel)):
            code.store(one, code.at(packed, code.sum(code.product(apart, number), into)))


def _both_sides(code: Code, matrix: Matrix, square: Sequence[Sequence[Any]]) -> list[Any]:
    """matrix · square · matrixᵀ of a square of vectors, row by row."""
    rows = [_apply(code, matrix, row) for row in square]
    columns = [_apply(code, matrix, column) for column in zip(*rows, strict=True)]
    return [one for row in zip(*columns, strict=True) for one in row]


def _multiply(
    code: Code, tile: int, tiles: _Tiles, sizes: Sizes, start: Any, stop: Any, given: Any
) -> None:
    """The sums over the channels, for each of 36, of weights · values."""
    plane = tiles.length(code, tiles.at_once)
    length = tiles.length(code, code.difference(stop, start))
    nothing = code.splat(code.real(0.0))
    count = code.build.sdiv(sizes.outputs, INT(tile))
    with code.loop(0, SIDE * SIDE) as number, code.loop(0, count) as n:
        values = code.at(given.values, code.product(number, sizes.channels, plane))
        weights = code.product(code.sum(code.product(number, count), n), sizes.channels, tile)
        own = code.at(given.packed, weights)
        into = code.product(code.sum(code.product(number, sizes.outputs), code.product(n, tile)), plane)
        sums = code.at(given.sums, into)

        @contextlib.contextmanager
        def each_row() -> Iterator[tuple[Any, Any]]:
            with code.loop(0, sizes.channels) as c:
                yield (
                    code.at(values, code.product(c, plane)),
                    code.at(own, code.product(c, tile)),
                )

        def write(o: int, x: Any, made: Any, mask: Any) -> None:
            code.store(made, code.at(sums, code.sum(code.product(plane, o), x)), mask)

        emit_row(code, tile, [INT(0)], length, lambda: [nothing] * tile, each_row, write)


class Lanes(NamedTuple):
    """How the channels of an input lie in lanes, and how many outputs and vectors a tile has."""

    lanes: int
    vectors: int
    outputs: int
    at_once: int

    @staticmethod
    def of(outputs: int, channels: int, bits: int) -> Lanes:
        """The tile whose sums stay in registers, and that has the most products for a load."""
        lanes = min(machine().vector_bytes * 8 // bits, 1 << (channels - 1).bit_length())
        vectors = -(-channels // lanes)
        tiles = [
            (block_of(outputs, machine().sums // n), n) for n in (1, 2, 3, 4) if vectors % n == 0
        ]
        return Lanes(lanes, vectors, *max(tiles, key=lambda t: t[0] * t[1] / (t[0] + t[1])))


@lru_cache(maxsize=32)
def winograd_weight_gradient(k: int, how: Lanes, lanes: int, bits: int) -> Kernel:
    """Compile the gradient of the weights of such a convolution.

    The channels of the input are brought into lanes, the padded count of them is C. The arguments:
    the result [G·outputs, channels, k, k], the slopes of the output [G·outputs, rows, columns, B];
    zeros [height, width, B, C], and room for the gradients of one group's transformed weights
    [36, outputs, C], its values [36, at_once, across, B, C] and slopes [36, outputs, at_once,
    across, B]; a strip of zeros for values, [7, wide·C], and one for slopes, [7, wide]; input
    [G·channels, height, width, B]; integers as in `winograd`, and how many channels are left over
    when they are taken `SQUARE` at a time.
    """
    code = Code(
        f"winograd_weight_gradient_{k}_{'_'.join(map(str, how))}_{lanes}_{bits}",
        "result slopes turned packed values sums strip lines source",
        "groups outputs channels height width rows columns batch top left down across at_once",
        bits=bits,
    )
    given, padded = code.given, how.lanes * how.vectors
    back, kernel, forth = _matrices(k)
    tiles = _Tiles.of(given, k, lanes)
    deep = replace(tiles, lanes=code.lanes, batch=code.product(given.batch, padded))
    plane, row, length = (
        code.product(n, given.batch)
        for n in (code.product(given.height, given.width), given.width, given.columns)
    )
    sizes = Sizes.of(given, row=row, length=length, stride=INT(1), padding=given.top, kh=k, kw=k)
    inputs = _Planes(
        count=INT(1),
        height=given.height,
        row=code.product(row, padded),
        top=given.top,
        left=code.product(given.left, deep.batch),
        first=given.turned,
        strip=given.strip,
        wide=deep.strip(code),
        zeros=code.at(given.strip, code.product(SIDE, deep.strip(code))),
    )
    with code.loop(0, given.groups) as g:
        source = sizes.source(code, given.source, g)
        squares = code.build.sdiv(given.channels, INT(SQUARE))
        with code.loop(0, squares) as n:
            first = code.product(n, SQUARE)
            rows = code.at(source, code.product(first, plane))
            emit_transposition(code, SQUARE, rows, plane, code.at(given.turned, first), padded)
        with code.loop(code.product(squares, SQUARE), given.channels) as c:
            rows = code.at(source, code.product(c, plane))
            emit_transposition(code, 1, rows, plane, code.at(given.turned, c), padded)
        slopes = _Planes(
            count=given.outputs,
            height=given.rows,
            row=length,
            top=INT(0),
            left=INT(0),
            first=sizes.out(code, given.slopes, g),
            strip=given.lines,
            wide=tiles.strip(code),
            zeros=code.at(given.lines, code.product(SIDE, tiles.strip(code))),
        )
        nothing = code.splat(code.real(0.0))

        def clear(x: Any, mask: Any) -> None:
            code.store(nothing, code.at(given.packed, x), mask)

        code.each(code.product(given.outputs, SIDE * SIDE * padded), clear)
        with tiles.blocks(code) as (start, stop):
            _cut(code, forth, deep, inputs, start, stop, given.values)
            _cut(code, _transposed(back), tiles, slopes, start, stop, given.sums)
            with code.in_lanes(how.lanes):
                _correlate(code, how, tiles, start, stop, given)
        result = sizes.weights(code, given.result, g)
        _unpack(code, _transposed(kernel), sizes, padded, given.packed, result)
    return machine().compile(code.done())


def _correlate(code: Code, how: Lanes, tiles: _Tiles, start: Any, stop: Any, given: Any) -> None:
    """Add, for each of 36, output and channel, the sum of slopes · values, to `packed`."""
    padded = how.lanes * how.vectors
    plane = tiles.length(code, tiles.at_once)
    length = tiles.length(code, code.difference(stop, start))
    nothing = code.splat(code.real(0.0))
    with (
        code.loop(0, SIDE * SIDE) as number,
        code.loop(0, code.build.sdiv(given.outputs, INT(how.outputs))) as n,
        code.loop(0, how.vectors // how.at_once) as m,
    ):
        lane = code.product(m, how.at_once * how.lanes)
        values = code.at(given.values, code.sum(code.product(number, plane, padded), lane))
        o = code.sum(code.product(number, given.outputs), code.product(n, how.outputs))
        slopes = [
            code.at(given.sums, code.product(code.sum(o, i), plane)) for i in range(how.outputs)
        ]
        sums = [[code.variable(nothing) for _ in range(how.at_once)] for _ in slopes]
        with code.loop(0, length) as x:
            here = code.at(values, code.product(x, padded))
            factors = [code.load(code.at(here, v * how.lanes)) for v in range(how.at_once)]
            for own, one in zip(sums, slopes, strict=True):
                slope = code.splat(code.load(code.at(one, x), code.real))
                for factor, variable in zip(factors, own, strict=True):
                    code.multiply_add(slope, factor, variable)
        for i, own in enumerate(sums):
            for v, variable in enumerate(own):
                at = code.sum(code.product(code.sum(o, i), padded), lane, v * how.lanes)
                at = code.at(given.packed, at)
                code.store(code.build.fadd(code.load(at), code.get(variable)), at)


def _unpack(
    code: Code, matrix: Matrix, sizes: Sizes, padded: int, packed: Any, result: Any
) -> None:
    """The gradients of transformed weights [36, outputs, C] → of weights, in `result`.

    Those of the first k² take the place of what they were made of.
    """
    k, count = len(matrix), code.product(sizes.outputs, padded)

    def transform(x: Any, mask: Any) -> None:
        at = [
            code.at(packed, code.sum(code.product(count, number), x))
            for number in range(SIDE * SIDE)
        ]
        flat = [code.load(one, mask=mask) for one in at]
        square = [flat[r * SIDE : (r + 1) * SIDE] for r in range(SIDE)]
        for address, one in zip(at, _both_sides(code, matrix, square), strict=False):
            code.store(one, address, mask)

    code.each(count, transform)
    with code.loop(0, sizes.outputs) as o, code.loop(0, sizes.channels) as c:
        start = code.at(packed, code.sum(code.product(o, padded), c))
        into = code.product(code.sum(code.product(o, sizes.channels), c), k * k)
        for number in range(k * k):
            one = code.load(code.at(start, code.product(count, number)), code.real)
            code.store(one, code.at(result, code.sum(into, number)))
