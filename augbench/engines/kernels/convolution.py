"""Convolution of planes, and the gradient of its weights: groups of cells, one after the other.

A row of one channel of the whole batch is one run of memory [W·B], in which a step to the right
is B numbers: a tap of the kernel is an offset. So each loop runs over whole vectors, however many
channels there are.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

from augbench.engines.kernels.code import INT, Code, Kernel, machine

__all__ = ["block_of", "convolve", "weight_gradient", "widest_kernel"]

_MOST_OUTPUTS = 8


def widest_kernel() -> int:
    """The most columns that a convolution kernel may have."""
    return machine().sums


def block_of(channels: int, most: int = _MOST_OUTPUTS) -> int:
    """How many output channels a tile has: the most that divide them, up to `most`."""
    return next(n for n in range(min(most, channels), 0, -1) if channels % n == 0)


@lru_cache(maxsize=32)
def convolve(outputs: int, bits: int) -> Kernel:
    """Compile the convolution for tiles of so many output channels, in numbers of so many bits.

    Its arguments: addresses of output [G·N·outputs, Ho, L], input [G·C, H, row], packed weights
    [G·N, C, kh, kw, outputs], bias [G·N·outputs] and taps int64 [kw]; integers G, N, C, H, Ho, L,
    row, stride and padding of the rows, kh, kw. Output row y is the sum over c, i and j of
    weight · input[c, y·stride + i − padding, taps[j] : taps[j] + L]; rows outside count as zero.
    """
    code = Code(f"convolve_{outputs}_{bits}", pointers=5, integers=11, bits=bits)
    out, source, weights, bias, taps = code.pointers
    groups, blocks, channels, height, rows, length, row, stride, padding, kh, kw = code.integers
    columns = max(1, min(6, machine().sums // outputs))  # vectors of a tile

    with code.loop(0, groups) as g, code.loop(0, blocks) as n, code.loop(0, rows) as y:
        tile = code.sum(code.product(g, blocks), n)
        top = code.difference(code.product(y, stride), padding)
        first = code.clamp(code.difference(0, top), least=0)
        last = code.clamp(code.difference(height, top), most=kh)
        size = code.product(channels, kh, kw, outputs)
        own_weights = code.at(weights, code.product(tile, size))
        own_bias = code.at(bias, code.product(tile, outputs))
        plane = code.product(rows, length)
        own_out = code.at(
            out, code.sum(code.product(tile, outputs, plane), code.product(y, length))
        )

        def one_tile(x: Any, width: int, mask: Any = None) -> None:
            biases = [
                code.splat(code.load(code.at(own_bias, o), code.real)) for o in range(outputs)
            ]
            sums = [[code.variable(one) for _ in range(width)] for one in biases]
            with (
                code.loop(0, channels) as c,
                code.loop(first, last) as i,
                code.loop(0, kw) as j,
            ):
                channel = code.sum(code.product(g, channels), c)
                at_row = code.sum(code.product(channel, height), top, i)
                tap = code.load(code.at(taps, j, INT), INT)
                start = code.at(source, code.sum(code.product(at_row, row), tap, x))
                values = [
                    code.load(code.at(start, v * code.lanes), mask=mask) for v in range(width)
                ]
                weight = code.sum(code.product(code.sum(code.product(c, kh), i), kw), j)
                here = code.at(own_weights, code.product(weight, outputs))
                for o in range(outputs):
                    factor = code.splat(code.load(code.at(here, o), code.real))
                    for v in range(width):
                        code.multiply_add(factor, values[v], sums[o][v])
            for o, v in product(range(outputs), range(width)):
                offset = code.sum(code.product(plane, o), x, v * code.lanes)
                code.store(code.get(sums[o][v]), code.at(own_out, offset), mask)

        position = code.variable(INT(0))
        with code.run(position, length, columns * code.lanes) as x:
            one_tile(x, columns)
        with code.run(position, length, code.lanes) as x:
            one_tile(x, 1)
        with code.rest(position, length) as (x, mask):
            one_tile(x, 1, mask)
    return machine().compile(code.done())


@lru_cache(maxsize=32)
def weight_gradient(outputs: int, kw: int, bits: int) -> Kernel:
    """Compile the gradient of the weights, for tiles of so many channels and `kw` columns.

    Its arguments: addresses of the result [G·N·outputs, C, kh, kw], the gradient of the output
    [G·N·outputs, Ho, L], input and taps as in `convolve`; integers G, N, C, H, Ho, L, row, stride
    and padding of the rows, kh.
    """
    code = Code(f"weight_gradient_{outputs}_{kw}_{bits}", pointers=4, integers=10, bits=bits)
    result, gradient, source, taps = code.pointers
    groups, blocks, channels, height, rows, length, row, stride, padding, kh = code.integers
    plane, size = code.product(rows, length), code.product(channels, kh, kw)
    offsets = [code.load(code.at(taps, j, INT), INT) for j in range(kw)]
    nothing = code.splat(code.real(0.0))

    with (
        code.loop(0, groups) as g,
        code.loop(0, blocks) as n,
        code.loop(0, channels) as c,
        code.loop(0, kh) as i,
    ):
        tile = code.sum(code.product(g, blocks), n)
        own_gradient = code.at(gradient, code.product(tile, outputs, plane))
        channel = code.product(code.sum(code.product(g, channels), c), height)
        sums = [[code.variable(nothing) for _ in range(kw)] for _ in range(outputs)]
        with code.loop(0, rows) as y:
            at_row = code.difference(code.sum(code.product(y, stride), i), padding)
            inside = code.build.and_(
                code.build.icmp_signed(">=", at_row, INT(0)),
                code.build.icmp_signed("<", at_row, height),
            )
            with code.build.if_then(inside):
                start = code.at(source, code.product(code.sum(channel, at_row), row))
                slopes = code.at(own_gradient, code.product(y, length))

                def add(x: Any, mask: Any = None) -> None:
                    values = [code.load(code.at(start, code.sum(x, t)), mask=mask) for t in offsets]
                    for o in range(outputs):
                        slope = code.load(
                            code.at(slopes, code.sum(code.product(plane, o), x)), mask=mask
                        )
                        for j in range(kw):
                            code.multiply_add(slope, values[j], sums[o][j])

                position = code.variable(INT(0))
                with code.run(position, length, code.lanes) as x:
                    add(x)
                with code.rest(position, length) as (x, mask):
                    add(x, mask)
        own = code.at(result, code.product(tile, outputs, size))
        here = code.product(code.sum(code.product(c, kh), i), kw)
        for o, j in product(range(outputs), range(kw)):
            offset = code.sum(code.product(size, o), here, j)
            code.store(code.total(code.get(sums[o][j])), code.at(own, offset))
    return machine().compile(code.done())
