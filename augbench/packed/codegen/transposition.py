"""Batches of images into planes: many small transpositions, done in registers."""

from __future__ import annotations

from typing import Any

from augbench.packed.codegen.code import INT, Code
from augbench.packed.codegen.processor import compiled

__all__ = ["SQUARE", "emit_transposition", "transpose"]

SQUARE = 8
"""Images are taken so many at a time."""


@compiled(2)
def transpose(bits: int) -> Code:
    """Compile the transposition of S matrices [B, M] into [M, B], for B a multiple of `SQUARE`.

    Its arguments: output [S, …, M, B], whose matrices lie `step` numbers apart, and input
    [S, B, M]; S, step, B, M.
    """
    code = Code(
        f"transpose_{bits}", "out:strided source", "count step batch size", bits=bits, lanes=SQUARE
    )
    out, source, step, size = code.given.out, code.given.source, code.given.step, code.given.size
    batch = code.given.batch
    blocks = code.build.sdiv(batch, INT(SQUARE))
    with code.loop(0, code.given.count) as s, code.loop(0, blocks) as block:
        first = code.product(block, SQUARE)
        rows = code.at(source, code.product(code.sum(code.product(s, batch), first), size))
        columns = code.at(out, code.sum(code.product(s, step), first))
        emit_transposition(code, SQUARE, rows, size, columns, batch)
    return code.done()


def emit_transposition(
    code: Code, count: int, rows: Any, size: Any, columns: Any, apart: Any
) -> None:
    """So many rows, `size` long, one behind the other, into columns that lie `apart`.

    Fast for `SQUARE` rows, which are as many as a vector has lanes then.
    """
    position = code.variable(INT(0))
    if count == SQUARE:
        with code.in_lanes(SQUARE), code.run(position, size, SQUARE) as m:
            square = [
                code.load(code.at(rows, code.sum(code.product(size, i), m))) for i in range(count)
            ]
            for i, column in enumerate(_turned(code, square)):
                code.store(column, code.at(columns, code.product(code.sum(m, i), apart)))
    with code.loop(code.get(position), size) as m:
        for i in range(count):
            number = code.load(code.at(rows, code.sum(code.product(size, i), m)), code.real)
            code.store(number, code.at(columns, code.sum(code.product(m, apart), i)))


def _turned(code: Code, rows: list[Any]) -> list[Any]:
    """The columns of a square: half of each row trades places, then quarters, then eighths."""
    distance = SQUARE // 2
    while distance:
        for i in range(SQUARE):
            if i & distance:
                continue
            lanes = range(SQUARE)
            upper = [n if not n & distance else SQUARE + n - distance for n in lanes]
            lower = [n + distance if not n & distance else SQUARE + n for n in lanes]
            a, b = rows[i], rows[i + distance]
            rows[i], rows[i + distance] = (code.shuffle(a, b, picked) for picked in (upper, lower))
        distance //= 2
    return rows
