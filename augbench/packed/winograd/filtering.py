"""Convolution of stride 1 with fewer products: Winograd's minimal filtering F(m×m, k×k).

Tiles of m×m outputs look at 6×6 inputs, m = 7 − k. Both the tile and the kernel are transformed to
6×6 values, whose products, summed over the channels, are transformed back: 36 products for m²·k²
(Lavin & Gray 2016, arXiv 1509.09308, sections 3 and 4). As each of the 36 is a matrix product of
weights and values, the sums are those of a 1×1 convolution.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from augbench.packed.codegen.code import INT, Code
from augbench.packed.codegen.convolution import Sizes, Weights
from augbench.packed.codegen.processor import compiled, machine
from augbench.packed.codegen.products import block_of, emit_row
from augbench.packed.codegen.transposition import SQUARE, emit_transposition
from augbench.packed.winograd.tiles import APART, Block, Planes, Tiles, cut, join
from augbench.packed.winograd.transforms import SIDE, Matrix, both_sides, matrices, transposed

__all__ = ["APART", "SIDE", "Batch", "Lanes", "winograd", "winograd_weight_gradient"]


_INTEGERS = (
    "groups outputs channels height width rows columns batch top left down across at_once beside"
)


@compiled(32)
def winograd(
    k: int, tile: int, turned: bool, add: bool, rectify: bool, how: Batch, bits: int
) -> Code:
    """Compile the convolution of G groups with kernels k×k, 3 or 5, and a stride of 1.

    Outputs are in tiles of `tile` channels. Its arguments: output [G·outputs, rows, columns, B];
    room for one group's weights [36·outputs·channels], its values [36, channels·at_once·beside·B
    and `APART`] and their sums [36, outputs·at_once·beside·B and `APART`]; a strip of zeros
    [7, wide] and one of anything; input [G·channels, height, width, B], weights
    [G·outputs, channels, k, k], or, if they are to be `turned` round, [G·channels, outputs, k, k],
    and bias [G·outputs]; to `add` to the outputs, a map like them; G, outputs, channels, height,
    width, rows, columns, B, rows and columns of zeros before the input, how many rows of tiles
    there are, of how many tiles, and how many such rows, and tiles of each, are worked on together.
    To `rectify` is to raise negative outputs to zero at last.
    """
    code = Code(
        f"winograd_{k}_{tile}_{turned}_{add}_{rectify}_{how.lanes}_{how.together}_{bits}".lower(),
        "out packed values sums strip lines source weights bias" + " shortcut" * add,
        _INTEGERS,
        bits=bits,
    )
    given, tiles = code.given, Tiles.of(code.given, k, *how)
    back, _, forth = matrices(k)
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
        source, out = sizes.source(code, given.source, g), sizes.out(code, given.out, g)
        inputs = Planes(
            *(source, given.channels, given.height, row, given.strip, wide),
            *(given.top, code.product(given.left, given.batch)),
        )
        outputs = Planes(
            *(out, given.outputs, given.rows, length, given.lines, wide),
            *(INT(0), INT(0)),
        )
        own_bias = code.at(given.bias, code.product(g, given.outputs))
        shortcut = sizes.out(code, given.shortcut, g) if add else None
        # Block by block, so that the 36 values and sums of a block never leave the cache.
        with tiles.blocks(code) as block:
            cut(code, forth, tiles, inputs, block, given.values)
            _multiply(code, tile, tiles, sizes, block, given)
            join(code, back, tiles, given.sums, outputs, block, own_bias, shortcut, rectify)
    return code.done()


def _pack(code: Code, k: int, tile: int, sizes: Sizes, weights: Weights, packed: Any) -> None:
    """A group's weights, transformed, as [36, outputs / tile, channels, tile]."""
    matrix = matrices(k)[1]
    tiles = code.build.sdiv(sizes.outputs, INT(tile))
    apart = code.product(sizes.outputs, sizes.channels)
    with code.loop(0, tiles) as n, code.loop(0, sizes.channels) as c:
        kernel = [
            [weights.of_tile(code, tile, n, c, INT(i), j) for j in range(k)] for i in range(k)
        ]
        into = code.product(code.sum(code.product(n, sizes.channels), c), tile)
        for number, one in enumerate(both_sides(code, matrix, kernel)):
            code.store(one, code.at(packed, code.sum(code.product(apart, number), into)))


def _multiply(code: Code, tile: int, tiles: Tiles, sizes: Sizes, block: Block, given: Any) -> None:
    """The sums over the channels, for each of 36, of weights · values."""
    plane, length = tiles.room(code), tiles.length(code, block)
    nothing = code.splat(code.real(0.0))
    count = code.build.sdiv(sizes.outputs, INT(tile))
    with code.loop(0, SIDE * SIDE) as number, code.loop(0, count) as n:
        apart = tiles.apart(code, sizes.channels)
        values = code.at(given.values, code.product(number, apart))
        weights = code.product(code.sum(code.product(number, count), n), sizes.channels, tile)
        own = code.at(given.packed, weights)
        into = code.product(number, tiles.apart(code, sizes.outputs))
        sums = code.at(given.sums, code.sum(into, code.product(n, tile, plane)))

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


class Batch(NamedTuple):
    """Images in vectors: `lanes` of a vector for one batch, and the batches `together` in one."""

    lanes: int
    together: int

    @staticmethod
    def of(images: int, bits: int) -> Batch:
        """A batch that fills half a vector, a quarter, …, shares one."""
        lanes = min(machine().vector_bytes * 8 // bits, 1 << (images - 1).bit_length())
        together = machine().vector_bytes * 8 // bits // lanes
        return Batch(lanes, together if images == lanes else 1)


class Lanes(NamedTuple):
    """Input channels in `vectors` of `lanes`; outputs, and vectors, summed at once."""

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


@compiled(32)
def winograd_weight_gradient(k: int, how: Lanes, batch: Batch, bits: int) -> Code:
    """Compile the gradient of the weights of such a convolution.

    The channels of the input are brought into lanes, the padded count of them is C. The arguments:
    the result [G·outputs, channels, k, k], the slopes of the output [G·outputs, rows, columns, B];
    zeros [height, width, B, C], and room for the gradients of one group's transformed weights
    [36, outputs, C], its values [36, at_once·beside·B·C and `APART`] and slopes [36,
    outputs·at_once·beside·B and `APART`]; a strip of zeros for values, [7, wide·C], and one for
    slopes, [7, wide]; input [G·channels, height, width, B]; integers as in `winograd`.
    """
    code = Code(
        f"winograd_weight_gradient_{k}_{'_'.join(map(str, (*how, *batch)))}_{bits}",
        "result slopes turned packed values sums strip lines source",
        _INTEGERS,
        bits=bits,
    )
    given, padded = code.given, how.lanes * how.vectors
    back, kernel, forth = matrices(k)
    tiles = Tiles.of(given, k, *batch)
    deep = replace(tiles, lanes=code.lanes, together=1, batch=code.product(given.batch, padded))
    plane, row, length = (
        code.product(n, given.batch)
        for n in (code.product(given.height, given.width), given.width, given.columns)
    )
    sizes = Sizes.of(given, row=row, length=length, stride=INT(1), padding=given.top, kh=k, kw=k)
    inputs = Planes(  # one, whose every pixel holds B images of C channels
        *(given.turned, INT(1), given.height, code.product(row, padded), given.strip),
        *(deep.strip(code), given.top, code.product(given.left, deep.batch)),
    )
    with code.loop(0, given.groups) as g:
        source = sizes.source(code, given.source, g)
        # Channels go into the lanes, as the sums run over pixels and images: turned 8 channels at a
        # time, and the rest one by one.
        position = code.variable(INT(0))
        for count in (SQUARE, 1):
            with code.run(position, given.channels, count) as c:
                rows = code.at(source, code.product(c, plane))
                emit_transposition(code, count, rows, plane, code.at(given.turned, c), padded)
        out = sizes.out(code, given.slopes, g)
        slopes = Planes(
            *(out, given.outputs, given.rows, length, given.lines, tiles.strip(code)),
            *(INT(0), INT(0)),
        )
        nothing = code.splat(code.real(0.0))

        def clear(x: Any, mask: Any) -> None:
            code.store(nothing, code.at(given.packed, x), mask)

        code.each(code.product(given.outputs, SIDE * SIDE * padded), clear)
        with tiles.blocks(code) as block:
            cut(code, forth, deep, inputs, block, given.values)
            cut(code, transposed(back), tiles, slopes, block, given.sums)
            with code.in_lanes(how.lanes):
                _correlate(code, how, tiles, block, given)
        result = sizes.weights(code, given.result, g)
        _unpack(code, transposed(kernel), sizes, padded, given.packed, result)
    return code.done()


def _correlate(code: Code, how: Lanes, tiles: Tiles, block: Block, given: Any) -> None:
    """Add, for each of 36, output and channel, the sum of slopes · values, to `packed`."""
    padded = how.lanes * how.vectors
    plane, length = tiles.room(code), tiles.length(code, block)
    nothing = code.splat(code.real(0.0))
    with (
        code.loop(0, SIDE * SIDE) as number,
        code.loop(0, code.build.sdiv(given.outputs, INT(how.outputs))) as n,
        code.loop(0, how.vectors // how.at_once) as m,
    ):
        lane = code.product(m, how.at_once * how.lanes)
        apart = code.product(number, code.sum(code.product(plane, padded), APART))
        values = code.at(given.values, code.sum(apart, lane))
        o = code.sum(code.product(number, given.outputs), code.product(n, how.outputs))
        own = code.product(number, tiles.apart(code, given.outputs))
        first = code.product(n, how.outputs, plane)
        slopes = [
            code.at(given.sums, code.sum(own, first, code.product(plane, i)))
            for i in range(how.outputs)
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
        for address, one in zip(at, both_sides(code, matrix, square), strict=False):
            code.store(one, address, mask)

    code.each(count, transform)
    with code.loop(0, sizes.outputs) as o, code.loop(0, sizes.channels) as c:
        start = code.at(packed, code.sum(code.product(o, padded), c))
        into = code.product(code.sum(code.product(o, sizes.channels), c), k * k)
        for number in range(k * k):
            one = code.load(code.at(start, code.product(count, number)), code.real)
            code.store(one, code.at(result, code.sum(into, number)))
