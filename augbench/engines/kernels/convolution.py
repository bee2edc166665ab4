"""Convolution of planes, pooled or not, and its gradients: groups of cells, one after the other.

A row of one channel of the whole batch is one run of memory [W·B], in which a step to the right
is B numbers: a tap of the kernel is an offset. So each loop runs over whole vectors, however many
channels there are. Where a pooling follows, a group's values stay in a scratch between the two.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

from augbench.engines.kernels.code import INT, Code, Kernel, machine
from augbench.engines.kernels.pooling import emit_pool, emit_pool_gradient

__all__ = [
    "block_of",
    "convolve",
    "convolve_and_pool",
    "gradients_through_pool",
    "weight_gradient",
    "widest_kernel",
]

_MOST_OUTPUTS = 8


def widest_kernel() -> int:
    """The most columns that a convolution kernel may have."""
    return machine().sums


@lru_cache(maxsize=64)
def block_of(channels: int, most: int = _MOST_OUTPUTS) -> int:
    """How many output channels a tile has: the most that divide them, up to `most`."""
    return next(n for n in range(min(most, channels), 0, -1) if channels % n == 0)


@lru_cache(maxsize=32)
def convolve(tile: int, bits: int) -> Kernel:
    """Compile the convolution of G groups, in tiles of so many output channels.

    Its arguments: output [G·O, Ho, L], input [G·C, H, row], weights, bias [G·O] and taps int64
    [kw]; G, O, C, H, Ho, L, row, stride and padding of the rows, kh, kw, and how far apart the
    weights of two output channels, input channels, rows and columns lie (those of two groups:
    O·C·kh·kw). Row y of the output is the sum over c, i and j of
    weight · input[c, y·stride + i − padding, taps[j] : taps[j] + L]; rows outside count as zero.
    """
    code = Code(
        f"convolve_{tile}_{bits}",
        "out source weights bias taps",
        "groups outputs channels height rows length row stride padding kh kw "
        "per_output per_channel per_row per_column",
        bits=bits,
    )
    given = code.given
    own = {name: value for name, value in vars(given).items() if name != "groups"}
    with code.loop(0, given.groups) as g:
        own["out"] = code.at(given.out, code.product(g, given.outputs, given.rows, given.length))
        size = code.product(given.channels, given.height, given.row)
        own["source"] = code.at(given.source, code.product(g, size))
        size = code.product(given.outputs, given.channels, given.kh, given.kw)
        own["weights"] = code.at(given.weights, code.product(g, size))
        own["bias"] = code.at(given.bias, code.product(g, given.outputs))
        _emit_convolution(code, tile, **own)
    return machine().compile(code.done())


@lru_cache(maxsize=32)
def weight_gradient(tile: int, kw: int, bits: int) -> Kernel:
    """Compile the gradient of the weights, for tiles of so many channels and `kw` columns.

    Its arguments: the result [G·O, C, kh, kw], the slopes of the output [G·O, Ho, slope row], of
    which L count in each row, input and taps as in `convolve`; G, O, C, H, Ho, L, row, slope row,
    stride and padding of the rows, kh.
    """
    code = Code(
        f"weight_gradient_{tile}_{kw}_{bits}",
        "result slopes source taps",
        "groups outputs channels height rows length row slope_row stride padding kh",
        bits=bits,
    )
    given = code.given
    own = {name: value for name, value in vars(given).items() if name != "groups"}
    with code.loop(0, given.groups) as g:
        size = code.product(given.outputs, given.channels, given.kh, kw)
        own["result"] = code.at(given.result, code.product(g, size))
        size = code.product(given.outputs, given.rows, given.slope_row)
        own["slopes"] = code.at(given.slopes, code.product(g, size))
        size = code.product(given.channels, given.height, given.row)
        own["source"] = code.at(given.source, code.product(g, size))
        _emit_weight_gradient(code, tile, kw, **own)
    return machine().compile(code.done())


@lru_cache(maxsize=16)
def convolve_and_pool(tile: int, pool: tuple[int, int], rectify: bool, bits: int) -> Kernel:
    """Compile a convolution of stride 1 with the pooling that follows it.

    Its arguments: pooled output and place as in `pooling.pool`, a scratch [O, Ho, Wo, B], input,
    weights [G·O, C, kh, kw], bias and taps as in `convolve`; G, O, C, H, Ho, Wo, B, row, padding
    of the rows, kh, kw.
    """
    code = Code(
        f"convolve_and_pool_{tile}_{pool[0]}_{pool[1]}_{rectify}_{bits}".lower(),
        "out place scratch source weights bias taps",
        "groups outputs channels height rows columns batch row padding kh kw",
        bits=bits,
    )
    given = code.given
    length = code.product(given.columns, given.batch)
    small = code.build.sdiv(given.rows, INT(pool[0])), code.build.sdiv(given.columns, INT(pool[1]))
    size = code.product(given.outputs, *small, given.batch)
    kernel = code.product(given.kh, given.kw)
    with code.loop(0, given.groups) as g:
        _emit_convolution(
            code,
            tile,
            out=given.scratch,
            source=code.at(given.source, code.product(g, given.channels, given.height, given.row)),
            weights=code.at(given.weights, code.product(g, given.outputs, given.channels, kernel)),
            bias=code.at(given.bias, code.product(g, given.outputs)),
            taps=given.taps,
            outputs=given.outputs,
            channels=given.channels,
            height=given.height,
            rows=given.rows,
            length=length,
            row=given.row,
            stride=INT(1),
            padding=given.padding,
            kh=given.kh,
            kw=given.kw,
            per_output=code.product(given.channels, kernel),
            per_channel=kernel,
            per_row=given.kw,
            per_column=INT(1),
        )
        emit_pool(
            code,
            pool,
            rectify,
            out=code.at(given.out, code.product(g, size)),
            place=code.at(given.place, code.product(g, size), code.byte),
            source=given.scratch,
            planes=given.outputs,
            plane=code.product(given.rows, length),
            row=length,
            rows=small[0],
            columns=small[1],
            batch=given.batch,
        )
    return machine().compile(code.done())


@lru_cache(maxsize=16)
def gradients_through_pool(
    tile: int, input_tile: int, kw: int, pool: tuple[int, int], bits: int
) -> Kernel:
    """Compile the gradients of `convolve_and_pool`; without an `input_tile`, not the input's.

    Its arguments: the gradients of the weights, of the input [G·C, H, W, B] and of the bias, the
    slopes of the pooled output, its place, a scratch of zeros [O, Ho, slope row], input, weights
    and taps as in `convolve_and_pool`, zeros [C] and the taps of the slopes; G, O, C, H, W, Ho,
    Wo, B, row, slope row, how many zeros precede the slopes in it, padding of the rows, kh.
    """
    code = Code(
        f"gradients_through_pool_{tile}_{input_tile}_{kw}_{pool[0]}_{pool[1]}_{bits}",
        "own_weights own_source own_bias slopes place scratch source weights taps zeros back",
        "groups outputs channels height width rows columns batch row slope_row left padding kh",
        bits=bits,
    )
    given = code.given
    plane = code.product(given.rows, given.slope_row)
    inner = code.at(given.scratch, given.left)
    small = code.build.sdiv(given.rows, INT(pool[0])), code.build.sdiv(given.columns, INT(pool[1]))
    size = code.product(given.outputs, *small, given.batch)
    kernel = code.product(given.kh, kw)
    weights = code.product(given.outputs, given.channels, kernel)
    with code.loop(0, given.groups) as g:
        emit_pool_gradient(
            code,
            pool,
            result=inner,
            slopes=code.at(given.slopes, code.product(g, size)),
            place=code.at(given.place, code.product(g, size), code.byte),
            totals=code.at(given.own_bias, code.product(g, given.outputs)),
            planes=given.outputs,
            plane=plane,
            row=given.slope_row,
            rows=small[0],
            columns=small[1],
            batch=given.batch,
        )
        _emit_weight_gradient(
            code,
            tile,
            kw,
            result=code.at(given.own_weights, code.product(g, weights)),
            slopes=inner,
            source=code.at(given.source, code.product(g, given.channels, given.height, given.row)),
            taps=given.taps,
            outputs=given.outputs,
            channels=given.channels,
            height=given.height,
            rows=given.rows,
            length=code.product(given.columns, given.batch),
            row=given.row,
            slope_row=given.slope_row,
            stride=INT(1),
            padding=given.padding,
            kh=given.kh,
        )
        if input_tile:
            # The convolution of the slopes with the weights turned round, from outputs to inputs.
            length = code.product(given.width, given.batch)
            _emit_convolution(
                code,
                input_tile,
                out=code.at(
                    given.own_source, code.product(g, given.channels, given.height, length)
                ),
                source=given.scratch,
                weights=code.at(
                    given.weights, code.sum(code.product(g, weights), code.difference(kernel, 1))
                ),
                bias=given.zeros,
                taps=given.back,
                outputs=given.channels,
                channels=given.outputs,
                height=given.rows,
                rows=given.height,
                length=length,
                row=given.slope_row,
                stride=INT(1),
                padding=code.difference(code.difference(given.kh, 1), given.padding),
                kh=given.kh,
                kw=INT(kw),
                per_output=kernel,
                per_channel=code.product(given.channels, kernel),
                per_row=INT(-kw),
                per_column=INT(-1),
            )
    return machine().compile(code.done())


def _emit_convolution(
    code: Code,
    tile: int,
    *,
    out: Any,
    source: Any,
    weights: Any,
    bias: Any,
    taps: Any,
    outputs: Any,
    channels: Any,
    height: Any,
    rows: Any,
    length: Any,
    row: Any,
    stride: Any,
    padding: Any,
    kh: Any,
    kw: Any,
    per_output: Any,
    per_channel: Any,
    per_row: Any,
    per_column: Any,
) -> None:
    """The convolution of one group; see `convolve`."""
    wide = max(1, min(6, machine().sums // tile))  # vectors of a tile
    plane = code.product(rows, length)
    with code.loop(0, code.build.sdiv(outputs, INT(tile))) as n, code.loop(0, rows) as y:
        top = code.difference(code.product(y, stride), padding)
        first = code.clamp(code.difference(0, top), least=0)
        last = code.clamp(code.difference(height, top), most=kh)
        own_weights = code.at(weights, code.product(n, tile, per_output))
        own_bias = code.at(bias, code.product(n, tile))
        own_out = code.at(out, code.sum(code.product(n, tile, plane), code.product(y, length)))

        def one_tile(x: Any, width: int, mask: Any = None) -> None:
            biases = [code.splat(code.load(code.at(own_bias, o), code.real)) for o in range(tile)]
            sums = [[code.variable(one) for _ in range(width)] for one in biases]
            with (
                code.loop(0, channels) as c,
                code.loop(first, last) as i,
                code.loop(0, kw) as j,
            ):
                at_row = code.sum(code.product(c, height), top, i)
                tap = code.load(code.at(taps, j, INT), INT)
                start = code.at(source, code.sum(code.product(at_row, row), tap, x))
                values = [
                    code.load(code.at(start, v * code.lanes), mask=mask) for v in range(width)
                ]
                weight = code.sum(
                    code.product(c, per_channel),
                    code.product(i, per_row),
                    code.product(j, per_column),
                )
                for o in range(tile):
                    own = code.at(own_weights, code.sum(weight, code.product(per_output, o)))
                    factor = code.splat(code.load(own, code.real))
                    for v in range(width):
                        code.multiply_add(factor, values[v], sums[o][v])
            for o, v in product(range(tile), range(width)):
                offset = code.sum(code.product(plane, o), x, v * code.lanes)
                code.store(code.get(sums[o][v]), code.at(own_out, offset), mask)

        position = code.variable(INT(0))
        with code.run(position, length, wide * code.lanes) as x:
            one_tile(x, wide)
        with code.masked_run(position, length) as (x, mask):
            one_tile(x, 1, mask)


def _emit_weight_gradient(
    code: Code,
    tile: int,
    kw: int,
    *,
    result: Any,
    slopes: Any,
    source: Any,
    taps: Any,
    outputs: Any,
    channels: Any,
    height: Any,
    rows: Any,
    length: Any,
    row: Any,
    slope_row: Any,
    stride: Any,
    padding: Any,
    kh: Any,
) -> None:
    """The gradient of one group's weights; see `weight_gradient`."""
    plane, size = code.product(rows, slope_row), code.product(channels, kh, kw)
    offsets = [code.load(code.at(taps, j, INT), INT) for j in range(kw)]
    nothing = code.splat(code.real(0.0))
    with (
        code.loop(0, code.build.sdiv(outputs, INT(tile))) as n,
        code.loop(0, channels) as c,
        code.loop(0, kh) as i,
    ):
        own_slopes = code.at(slopes, code.product(n, tile, plane))
        sums = [[code.variable(nothing) for _ in range(kw)] for _ in range(tile)]
        # The rows whose input row, y·stride + i − padding, is one of the input's.
        before = code.clamp(code.difference(padding, i), least=0)
        after = code.clamp(code.sum(code.difference(height, i), padding), least=0)
        first, last = (
            code.build.sdiv(code.sum(rows_, code.difference(stride, 1)), stride)
            for rows_ in (before, after)
        )
        with code.loop(first, code.clamp(last, most=rows)) as y:
            at_row = code.difference(code.sum(code.product(y, stride), i), padding)
            start = code.at(source, code.product(code.sum(code.product(c, height), at_row), row))
            in_row = code.at(own_slopes, code.product(y, slope_row))

            def add(x: Any, mask: Any) -> None:
                values = [code.load(code.at(start, code.sum(x, t)), mask=mask) for t in offsets]
                for o in range(tile):
                    at = code.at(in_row, code.sum(code.product(plane, o), x))
                    slope = code.load(at, mask=mask)
                    for j in range(kw):
                        code.multiply_add(slope, values[j], sums[o][j])

            code.each(length, add)
        own = code.at(result, code.product(n, tile, size))
        here = code.product(code.sum(code.product(c, kh), i), kw)
        for o, j in product(range(tile), range(kw)):
            offset = code.sum(code.product(size, o), here, j)
            code.store(code.total(code.get(sums[o][j])), code.at(own, offset))
