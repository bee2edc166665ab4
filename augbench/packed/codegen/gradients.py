"""The gradients of a convolution of batch-last maps, group by group."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any, NamedTuple

from augbench.packed.codegen.code import INT, Code
from augbench.packed.codegen.convolution import Sizes, Weights
from augbench.packed.codegen.processor import compiled, machine
from augbench.packed.codegen.products import block_of

__all__ = [
    "ByColumns",
    "emit_by_columns",
    "emit_weight_gradient",
    "input_gradient",
    "weight_gradient",
]


class ByColumns(NamedTuple):
    """Rows of `width` columns, summed by columns, of `channels` at once.

    `padding` columns were added before them; vectors have `lanes` at most.
    """

    width: int
    padding: int
    lanes: int
    channels: int

    @staticmethod
    def fitting(width: int, kw: int, padding: int, batch: int, channels: int) -> ByColumns | None:
        """For rows that are not too wide, or None."""
        # All columns are written out in the code: beyond that it would take long to compile.
        if width > 2 * machine().sums or kw > 7:
            return None
        lanes, part = 1 << (batch - 1).bit_length(), len(_parts(width)[0])
        # The sums and the weights are in registers, which are a third more than the sums' share.
        at_once = max(1, 4 * machine().sums // 3 // (part + kw))
        return ByColumns(width, padding, lanes, block_of(channels, at_once))


def _parts(width: int) -> list[range]:
    """The columns of a row, in as few equal parts as registers hold."""
    count = -(-width // machine().sums)
    size = -(-width // count)
    return [range(start, min(start + size, width)) for start in range(0, width, size)]


@compiled(32)
def weight_gradient(tile: int, kw: int, bits: int) -> Code:
    """Compile the gradient of the weights, for tiles of `tile` outputs and `kw` columns.

    Its arguments: the result [G·outputs, channels, kh, kw], the slopes of the output [G·outputs,
    rows, length], input and taps as in `convolve`; G, the other `Sizes`.
    """
    code = Code(
        f"weight_gradient_{tile}_{kw}_{bits}",
        "result slopes source taps:int64",
        "groups outputs channels height row rows length stride padding kh",
        bits=bits,
    )
    given, sizes = code.given, Sizes.of(code.given, kw=INT(kw))
    with code.loop(0, given.groups) as g:
        emit_weight_gradient(
            code,
            tile,
            kw,
            sizes,
            result=sizes.weights(code, given.result, g),
            slopes=sizes.out(code, given.slopes, g),
            slope_row=sizes.length,
            source=sizes.source(code, given.source, g),
            taps=given.taps,
        )
    return code.done()


@compiled(32)
def input_gradient(how: ByColumns, kw: int, bits: int) -> Code:
    """Compile the gradient of the input, by columns.

    Its arguments: the result [G·channels, height, width, B], the slopes of the output [G·outputs,
    rows, columns, B], weights as in `convolve`; G, outputs, channels, height, rows, B, padding, kh.
    """
    code = Code(
        f"input_gradient_{'_'.join(map(str, how))}_{kw}_{bits}",
        "result slopes weights",
        "groups outputs channels height rows batch padding kh",
        bits=bits,
    )
    given, columns = code.given, how.width + 2 * how.padding - kw + 1
    row, length = (code.product(n, given.batch) for n in (how.width, columns))
    sizes = Sizes.of(given, row=row, length=length, stride=INT(1), kw=INT(kw))
    with code.loop(0, given.groups) as g:
        emit_by_columns(
            code,
            how,
            sizes,
            result=sizes.source(code, given.result, g),
            slopes=sizes.out(code, given.slopes, g),
            weights=sizes.weights(code, given.weights, g),
            batch=given.batch,
        )
    return code.done()


def emit_weight_gradient(
    code: Code,
    tile: int,
    kw: int,
    sizes: Sizes,
    *,
    result: Any,
    slopes: Any,
    slope_row: Any,
    source: Any,
    taps: Any,
) -> None:
    """The gradient of one group's weights; rows of slopes lie `slope_row` apart."""
    plane, size = code.product(sizes.rows, slope_row), code.product(sizes.channels, sizes.kh, kw)
    offsets = [code.load(code.at(taps, j, INT), INT) for j in range(kw)]
    nothing = code.splat(code.real(0.0))
    with (
        code.loop(0, code.build.sdiv(sizes.outputs, INT(tile))) as n,
        code.loop(0, sizes.channels) as c,
        code.loop(0, sizes.kh) as i,
    ):
        own_slopes = code.at(slopes, code.product(n, tile, plane))
        # tile · kw sums stay in registers for a whole plane, a lane for each image and pixel of a
        # vector; only at the end are the lanes added up.
        sums = [[code.variable(nothing) for _ in range(kw)] for _ in range(tile)]
        # The rows whose input row, y·stride + i − padding, is one of the input's.
        before = code.clamp(code.difference(sizes.padding, i), least=0)
        after = code.clamp(code.sum(code.difference(sizes.height, i), sizes.padding), least=0)
        first, last = (
            code.build.sdiv(code.sum(rows, code.difference(sizes.stride, 1)), sizes.stride)
            for rows in (before, after)
        )
        with code.loop(first, code.clamp(last, most=sizes.rows)) as y:
            at_row = code.difference(code.sum(code.product(y, sizes.stride), i), sizes.padding)
            at_row = code.sum(code.product(c, sizes.height), at_row)
            start = code.at(source, code.product(at_row, sizes.row))
            in_row = code.at(own_slopes, code.product(y, slope_row))

            def add(x: Any, mask: Any) -> None:
                values = [code.load(code.at(start, code.sum(x, t)), mask=mask) for t in offsets]
                for o in range(tile):
                    at = code.at(in_row, code.sum(code.product(plane, o), x))
                    slope = code.load(at, mask=mask)
                    for j in range(kw):
                        code.multiply_add(slope, values[j], sums[o][j])

            code.each(sizes.length, add)
        here = code.sum(code.product(n, tile, size), code.product(c, sizes.kh, kw))
        here = code.sum(here, code.product(i, kw))
        code.store_totals(
            [
                (
                    code.at(result, code.sum(here, code.product(size, o))),
                    [code.get(one) for one in sums[o]],
                )
                for o in range(tile)
            ]
        )


def emit_by_columns(
    code: Code,
    how: ByColumns,
    sizes: Sizes,
    *,
    result: Any,
    slopes: Any,
    weights: Any,
    batch: Any,
) -> None:
    """The gradient of one group's input [channels, height, width, B], of a stride of 1.

    Rows, or parts of them, are summed in registers, a vector for each column. No product is with a
    zero beyond the image: of small images, these are a third of what a convolution takes.
    """
    width, padding, kw = how.width, how.padding, sizes.kw.constant
    columns = width + 2 * padding - kw + 1
    plain = Weights.plain(code, weights, sizes)
    tile = range(how.channels)
    with (
        code.narrowed(how.lanes),
        code.loop(0, code.build.sdiv(sizes.channels, INT(how.channels))) as n,
        code.loop(0, sizes.height) as y,
    ):
        nothing = code.splat(code.real(0.0))
        # Row y of the input is tap i of the output's row y + padding − i.
        bottom = code.sum(y, sizes.padding)
        first = code.clamp(code.sum(code.difference(bottom, sizes.rows), 1), least=0)
        last = code.clamp(code.sum(bottom, 1), most=sizes.kh)
        channel = code.product(n, how.channels)
        own = [code.sum(code.product(code.sum(channel, c), sizes.height), y) for c in tile]

        def write(part: range, b: Any, mask: Any) -> None:
            sums = [[code.variable(nothing) for _ in part] for _ in tile]
            with code.loop(0, sizes.outputs) as o, code.loop(first, last) as i:
                weight = code.sum(
                    code.product(o, plain.output),
                    code.product(channel, plain.channel),
                    code.product(i, plain.row),
                )
                factors = [
                    [
                        code.splat(code.load(code.at(weights, code.sum(weight, at, j)), code.real))
                        for j in range(kw)
                    ]
                    for at in (code.product(plain.channel, c) for c in tile)
                ]
                at_row = code.sum(code.product(o, sizes.rows), code.difference(bottom, i))
                start = code.at(slopes, code.sum(code.product(at_row, columns, batch), b))
                for x in range(columns):
                    taps = [j for j in range(kw) if x + j - padding in part]
                    if taps:
                        slope = code.load(code.at(start, code.product(batch, x)), mask=mask)
                    for c, j in product(tile, taps):
                        column = part.index(x + j - padding)
                        code.multiply_add(slope, factors[c][j], sums[c][column])
            for c, x in product(tile, part):
                at = code.sum(code.product(own[c], width, batch), code.product(batch, x), b)
                code.store(code.get(sums[c][part.index(x)]), code.at(result, at), mask)

        for part in _parts(width):
            code.each(batch, partial(write, part))
