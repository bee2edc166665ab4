"""Convolution of batch-last maps: groups of cells, one after the other.

A row of one channel of the whole batch is one run of memory [W·B], in which a step to the right
is B numbers: a tap of the kernel is an offset. So each loop runs over whole vectors, however many
channels there are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from augbench.packed.codegen.code import INT, Code
from augbench.packed.codegen.processor import compiled
from augbench.packed.codegen.products import emit_row

__all__ = ["Sizes", "Weights", "convolve", "emit_convolution"]


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
        """Address of the weights of group g, where `first` is that of group 0's."""
        return code.at(first, code.product(g, self.outputs, self.channels, self.kh, self.kw))

    def source(self, code: Code, first: Any, g: Any) -> Any:
        """Address of the input of group g."""
        return code.at(first, code.product(g, self.channels, self.height, self.row))

    def out(self, code: Code, first: Any, g: Any) -> Any:
        """Address of the output of group g, or of its slopes."""
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
    """Address of a group's weights, and the strides from one output, … and column to the next."""

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
        """Weights turned by half a turn, from outputs to channels: for the input's gradient."""
        plain = Weights.plain(code, first, sizes)
        last = code.at(first, code.difference(plain.channel, 1))
        return Weights(last, plain.channel, plain.output, code.difference(0, plain.row), INT(-1))

    def of_tile(self, code: Code, tile: int, n: Any, c: Any, i: Any, j: int) -> Any:
        """A vector: for each output of tile n, the weight of channel c in row i and column j."""
        first = code.sum(
            code.product(self.output, n, tile),
            code.product(self.channel, c),
            code.product(self.row, i),
            code.product(self.column, j),
        )
        return code.gathered(
            [
                code.at(self.first, code.sum(first, code.product(self.output, o)))
                for o in range(tile)
            ]
        )


@compiled(32)
def convolve(tile: int, kw: int, add: bool, rectify: bool, bits: int) -> Code:
    """Compile the convolution of G groups, in tiles of `tile` output channels, for `kw` columns.

    Its arguments: output [G·outputs, rows, length], a scratch [outputs·channels·kh·kw], input
    [G·channels, height, row], the first weight, bias [G·outputs] and taps int64 [kw]; to `add` to
    the outputs, a map like them; G, the other `Sizes`, and how far apart the weights of two groups,
    outputs, channels, rows and columns lie. To `rectify` is to raise negative outputs to zero at
    last.
    """
    code = Code(
        f"convolve_{tile}_{kw}_{add}_{rectify}_{bits}".lower(),
        "out packed source weights bias taps:int64" + " shortcut" * add,
        "groups outputs channels height row rows length stride padding kh"
        " by_group by_output by_channel by_row by_column",
        bits=bits,
    )
    given, sizes = code.given, Sizes.of(code.given, kw=INT(kw))
    apart = given.by_output, given.by_channel, given.by_row, given.by_column
    with code.loop(0, given.groups) as g:
        emit_convolution(
            code,
            tile,
            sizes,
            Weights(code.at(given.weights, code.product(g, given.by_group)), *apart),
            rectify=rectify,
            out=sizes.out(code, given.out, g),
            packed=given.packed,
            source=sizes.source(code, given.source, g),
            bias=code.at(given.bias, code.product(g, sizes.outputs)),
            taps=given.taps,
            shortcut=sizes.out(code, given.shortcut, g) if add else None,
        )
    return code.done()


def emit_convolution(
    code: Code,
    tile: int,
    sizes: Sizes,
    weights: Weights,
    *,
    out: Any,
    packed: Any,
    source: Any,
    bias: Any,
    taps: Any,
    shortcut: Any = None,
    rectify: bool = False,
) -> None:
    """The convolution of one group; see `convolve`."""
    kw = sizes.kw.constant
    tiles = code.build.sdiv(sizes.outputs, INT(tile))
    # The weights of a group are gathered once into the order in which the loops below read them,
    # [tiles, kh, channels, kw, tile], so that the innermost loop walks through memory.
    with (
        code.loop(0, tiles) as n,
        code.loop(0, sizes.kh) as i,
        code.loop(0, sizes.channels) as c,
    ):
        here = code.at(packed, _block(code, tile, sizes, n, i, c))
        for j in range(kw):
            code.store(weights.of_tile(code, tile, n, c, i, j), code.at(here, j * tile))
    offsets = [code.load(code.at(taps, j, INT), INT) for j in range(kw)]
    plane = code.product(sizes.rows, sizes.length)
    with code.loop(0, sizes.rows) as y, code.loop(0, tiles) as n:
        top = code.difference(code.product(y, sizes.stride), sizes.padding)
        # Kernel rows `first` to `last` lie on the image: no product is taken with rows of zeros.
        first = code.clamp(code.difference(0, top), least=0)
        last = code.clamp(code.difference(sizes.height, top), most=sizes.kh)
        own_bias = code.at(bias, code.product(n, tile))
        start = code.sum(code.product(n, tile, plane), code.product(y, sizes.length))
        own_out, own_shortcut = code.at(out, start), shortcut and code.at(shortcut, start)

        def biases() -> list[Any]:
            return [code.splat(code.load(code.at(own_bias, o), code.real)) for o in range(tile)]

        @contextlib.contextmanager
        def each_row() -> Iterator[tuple[Any, Any]]:
            with code.loop(first, last) as i, code.loop(0, sizes.channels) as c:
                at_row = code.sum(code.product(c, sizes.height), top, i)
                yield (
                    code.at(source, code.product(at_row, sizes.row)),
                    code.at(packed, _block(code, tile, sizes, n, i, c)),
                )

        def write(o: int, x: Any, made: Any, mask: Any) -> None:
            at = code.sum(code.product(plane, o), x)
            if own_shortcut:
                also = code.load(code.at(own_shortcut, at), mask=mask)
                made = code.build.fadd(made, also)
            made = code.rectified(made) if rectify else made
            code.store(made, code.at(own_out, at), mask)

        emit_row(code, tile, offsets, sizes.length, biases, each_row, write)


def _block(code: Code, tile: int, sizes: Sizes, n: Any, i: Any, c: Any) -> Any:
    """Offset of a block of packed weights, which lie in the order in which the loops read them."""
    row = code.sum(code.product(n, sizes.kh), i)
    return code.product(code.sum(code.product(row, sizes.channels), c), sizes.kw, tile)
