"""Convolution of planes: groups of cells, one after the other.

A row of one channel of the whole batch is one run of memory [W·B], in which a step to the right
is B numbers: a tap of the kernel is an offset. So each loop runs over whole vectors, however many
channels there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

from augbench.engines.kernels.code import INT, Code
from augbench.engines.kernels.processor import Kernel, machine

__all__ = [
    "Sizes",
    "Weights",
    "block_of",
    "convolve",
    "emit_convolution",
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


@dataclass(frozen=True)
class Sizes:
    """One group: planes [channels, height, row] → [outputs, rows, length], integers of LLVM's.

    Row y of an output is the sum over c, i and j of weight · input[c, y·stride + i − padding,
    taps[j] : taps[j] + length], with i < kh and j < kw; rows outside count as zero.
    """

    outputs: Any
    channels: Any
    height: Any
    row: Any
    rows: Any
    length: Any
    stride: Any
    padding: Any
    kh: Any
    kw: Any

    @staticmethod
    def of(given: Any, **known: Any) -> Sizes:
        """The arguments of a function that are named so, and what else is known of them."""
        names = Sizes.__dataclass_fields__
        return Sizes(**{n: known[n] if n in known else getattr(given, n) for n in names})

    def weights(self, code: Code, first: Any, g: Any) -> Any:
        """Where the weights of group g begin, behind those of the first."""
        return code.at(first, code.product(g, self.outputs, self.channels, self.kh, self.kw))

    def source(self, code: Code, first: Any, g: Any) -> Any:
        """Where the input of group g begins."""
        return code.at(first, code.product(g, self.channels, self.height, self.row))

    def out(self, code: Code, first: Any, g: Any) -> Any:
        """Where the output of group g begins, or its slopes."""
        return code.at(first, code.product(g, self.outputs, self.rows, self.length))

    def turned(self, code: Code, *, width: Any, batch: Any, row: Any) -> Sizes:
        """The convolution from the slopes of the outputs to those of the input; of a stride of 1.

        The slopes lie in rows of `row` numbers, between as many zeros as the kernel reaches into.
        """
        return Sizes(
            outputs=self.channels,
            channels=self.outputs,
            height=self.rows,
            row=row,
            rows=self.height,
            length=code.product(width, batch),
            stride=INT(1),
            padding=code.difference(code.difference(self.kh, 1), self.padding),
            kh=self.kh,
            kw=self.kw,
        )


@dataclass(frozen=True)
class Weights:
    """Where a group's weights are, and how far apart those of two outputs, … and columns lie."""

    first: Any
    output: Any
    channel: Any
    row: Any
    column: Any

    @staticmethod
    def plain(code: Code, first: Any, sizes: Sizes) -> Weights:
        """[outputs, channels, kh, kw]."""
        kernel = code.product(sizes.kh, sizes.kw)
        return Weights(first, code.product(sizes.channels, kernel), kernel, sizes.kw, INT(1))

    @staticmethod
    def turned(code: Code, first: Any, sizes: Sizes) -> Weights:
        """The same, turned round, and from outputs to channels."""
        plain = Weights.plain(code, first, sizes)
        last = code.at(first, code.difference(plain.channel, 1))
        return Weights(last, plain.channel, plain.output, code.difference(0, plain.row), INT(-1))


@lru_cache(maxsize=32)
def convolve(tile: int, rectify: bool, bits: int) -> Kernel:
    """Compile the convolution of G groups, in tiles of so many output channels.

    Its arguments: output [G·outputs, rows, length], input [G·channels, height, row], weights, bias
    [G·outputs] and taps int64 [kw]; G, the `Sizes`, and how far apart the weights of two outputs,
    channels, rows and columns lie (those of two groups: outputs·channels·kh·kw). To `rectify` is
    to raise negative outputs to zero.
    """
    code = Code(
        f"convolve_{tile}_{rectify}_{bits}".lower(),
        "out source weights bias taps",
        "groups outputs channels height row rows length stride padding kh kw "
        "per_output per_channel per_row per_column",
        bits=bits,
    )
    given, sizes = code.given, Sizes.of(code.given)
    apart = given.per_output, given.per_channel, given.per_row, given.per_column
    with code.loop(0, given.groups) as g:
        emit_convolution(
            code,
            tile,
            sizes,
            Weights(sizes.weights(code, given.weights, g), *apart),
            rectify=rectify,
            out=sizes.out(code, given.out, g),
            source=sizes.source(code, given.source, g),
            bias=code.at(given.bias, code.product(g, sizes.outputs)),
            taps=given.taps,
        )
    return machine().compile(code.done())


def emit_convolution(
    code: Code,
    tile: int,
    sizes: Sizes,
    weights: Weights,
    *,
    out: Any,
    source: Any,
    bias: Any,
    taps: Any,
    rectify: bool = False,
) -> None:
    """The convolution of one group; see `convolve`."""
    wide = max(1, min(6, machine().sums // tile))  # vectors of a tile
    plane = code.product(sizes.rows, sizes.length)
    tiles = code.build.sdiv(sizes.outputs, INT(tile))
    with code.loop(0, tiles) as n, code.loop(0, sizes.rows) as y:
        top = code.difference(code.product(y, sizes.stride), sizes.padding)
        first = code.clamp(code.difference(0, top), least=0)
        last = code.clamp(code.difference(sizes.height, top), most=sizes.kh)
        own_weights = code.at(weights.first, code.product(n, tile, weights.output))
        own_bias = code.at(bias, code.product(n, tile))
        start = code.sum(code.product(n, tile, plane), code.product(y, sizes.length))
        own_out = code.at(out, start)

        def one_tile(x: Any, width: int, mask: Any = None) -> None:
            biases = [code.splat(code.load(code.at(own_bias, o), code.real)) for o in range(tile)]
            sums = [[code.variable(one) for _ in range(width)] for one in biases]
            with (
                code.loop(0, sizes.channels) as c,
                code.loop(first, last) as i,
                code.loop(0, sizes.kw) as j,
            ):
                at_row = code.sum(code.product(c, sizes.height), top, i)
                tap = code.load(code.at(taps, j, INT), INT)
                begin = code.at(source, code.sum(code.product(at_row, sizes.row), tap, x))
                values = [
                    code.load(code.at(begin, v * code.lanes), mask=mask) for v in range(width)
                ]
                weight = code.sum(
                    code.product(c, weights.channel),
                    code.product(i, weights.row),
                    code.product(j, weights.column),
                )
                for o in range(tile):
                    own = code.at(own_weights, code.sum(weight, code.product(weights.output, o)))
                    factor = code.splat(code.load(own, code.real))
                    for v in range(width):
                        code.multiply_add(factor, values[v], sums[o][v])
            for o, v in product(range(tile), range(width)):
                offset = code.sum(code.product(plane, o), x, v * code.lanes)
                made = code.get(sums[o][v])
                made = code.rectified(made) if rectify else made
                code.store(made, code.at(own_out, offset), mask)

        position = code.variable(INT(0))
        with code.run(position, sizes.length, wide * code.lanes) as x:
            one_tile(x, wide)
        with code.masked_run(position, sizes.length) as (x, mask):
            one_tile(x, 1, mask)
