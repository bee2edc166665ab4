"""Blocks of planes from one place to another, a run of the batch at a time."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from augbench.packed.codegen.code import INT, Code
from augbench.packed.codegen.processor import compiled, machine

__all__ = ["copy", "lay_rows"]


@compiled(16)
def copy(lanes: int, add: bool, bits: int) -> Code:
    """Compile the copying of a block [M, rows, columns, run] between memory of any strides.

    Its arguments: output and input; numbers to `add`, which lie as the output does; M, rows,
    columns, run, and how far planes, rows and columns lie apart, in the output and in the input.
    """
    code = Code(
        f"copy_{lanes}_{add}_{bits}".lower(),
        "out:strided source:strided" + " added:strided" * add,
        "planes rows columns run out_plane out_row out_column plane row column",
        bits=bits,
        lanes=_fitting(lanes, bits),
    )
    given = code.given
    with code.loop(0, given.planes) as m, code.loop(0, given.rows) as y:
        into = code.sum(code.product(m, given.out_plane), code.product(y, given.out_row))
        start = code.at(
            given.source, code.sum(code.product(m, given.plane), code.product(y, given.row))
        )
        with code.loop(0, given.columns) as x:
            here = code.sum(into, code.product(x, given.out_column))
            _move(
                code,
                code.at(given.out, here),
                code.at(start, code.product(x, given.column)),
                given.run,
                code.at(given.added, here) if add else None,
            )
    return code.done()


@compiled(16)
def lay_rows(stride: int, lanes: int, bits: int) -> Code:
    """Compile the laying out of rows between zeros, in the order of a stride.

    Columns of one remainder lie side by side. Its arguments: output [M, height, stride, each, B],
    input [M, height, width, B]; M, height, width, B, columns of zeros before the input, and `each`.
    """
    code = Code(
        f"lay_rows_{stride}_{lanes}_{bits}",
        "out source",
        "planes height width batch padding each",
        bits=bits,
        lanes=_fitting(lanes, bits) if stride > 1 else None,
    )
    build, given = code.build, code.given
    apart = code.product(given.each, given.batch)
    nothing = ir.Constant(code.vector, None)

    def clear(at: Any, columns: Any) -> None:
        code.each(
            code.product(columns, given.batch),
            lambda i, mask: code.store(nothing, code.at(at, i), mask),
        )

    with code.loop(0, code.product(given.planes, given.height)) as row:
        source = code.at(given.source, code.product(row, given.width, given.batch))
        for remainder in range(stride):
            out = code.at(
                given.out, code.product(code.sum(code.product(row, stride), remainder), apart)
            )
            before = build.sdiv(code.sum(given.padding, stride - 1 - remainder), INT(stride))
            first = code.difference(
                code.sum(code.product(before, stride), remainder), given.padding
            )
            left = code.sum(code.difference(given.width, first), stride - 1)
            count = code.clamp(build.sdiv(left, INT(stride)), least=0)
            clear(out, before)
            into = code.at(out, code.product(before, given.batch))
            start = code.at(source, code.product(first, given.batch))
            if stride == 1:
                _move(code, into, start, code.product(count, given.batch))
            else:
                with code.loop(0, count) as x:
                    _move(
                        code,
                        code.at(into, code.product(x, given.batch)),
                        code.at(start, code.product(x, stride, given.batch)),
                        given.batch,
                    )
            done = code.sum(before, count)
            clear(code.at(out, code.product(done, given.batch)), code.difference(given.each, done))
    return code.done()


def _move(code: Code, into: Any, start: Any, run: Any, added: Any = None) -> None:
    def move(i: Any, mask: Any) -> None:
        value = code.load(code.at(start, i), mask=mask)
        if added:
            value = code.build.fadd(value, code.load(code.at(added, i), mask=mask))
        code.store(value, code.at(into, i), mask)

    code.each(run, move)


def _fitting(lanes: int, bits: int) -> int:
    """So many lanes, or as many as a vector has."""
    return min(lanes, machine().vector_bytes * 8 // bits)
