"""Maximum over windows that touch and do not overlap, of planes, and its gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import product
from typing import Any

from llvmlite import ir

from augbench.engines.kernels.code import INT, Code, Kernel, machine

__all__ = ["pool", "pool_gradient"]

_BYTE = ir.IntType(8)
_MOST_LANES = 8  # a column of a batch of 8 is 8 numbers: no wider vector fits in


@lru_cache(maxsize=8)
def pool(kh: int, kw: int, bits: int) -> Kernel:
    """Compile the maximum over windows of kh × kw, and where in its window each one lies.

    Its arguments: addresses of output [M, Ho, Wo, B], place uint8 of the same shape (i·kw + j) and
    input [M, H, W, B]; integers M, H, W, Ho, Wo, B. Of equals the first counts, of several NaN
    the last, as in torch.
    """
    code = _code("pool", kh, kw, bits)
    out, place, source = code.pointers
    places = ir.VectorType(_BYTE, code.lanes)

    def one(at: Any, taps: list[Any], mask: Any) -> None:
        best = code.load(code.at(source, taps[0]), mask=mask)
        where = _all(places, 0)
        for number, tap in enumerate(taps[1:], 1):
            value = code.load(code.at(source, tap), mask=mask)
            more = code.build.or_(
                code.build.fcmp_ordered(">", value, best),
                code.build.fcmp_unordered("uno", value, value),
            )
            best = code.build.select(more, value, best)
            where = code.build.select(more, _all(places, number), where)
        code.store(best, code.at(out, at), mask)
        code.store(where, code.at(place, at, _BYTE), mask)

    _windows(code, kh, kw, one)
    return machine().compile(code.done())


@lru_cache(maxsize=8)
def pool_gradient(kh: int, kw: int, bits: int) -> Kernel:
    """Compile the gradient of `pool`: each slope goes to where its maximum was, zero elsewhere.

    Its arguments: addresses of the result [M, H, W, B], the slopes and the places [M, Ho, Wo, B];
    integers as in `pool`. What no window covers is left as it is.
    """
    code = _code("pool_gradient", kh, kw, bits)
    result, slopes, place = code.pointers
    places, zero = ir.VectorType(_BYTE, code.lanes), ir.Constant(code.vector, None)

    def one(at: Any, taps: list[Any], mask: Any) -> None:
        slope = code.load(code.at(slopes, at), mask=mask)
        where = code.load(code.at(place, at, _BYTE), places, mask)
        for number, tap in enumerate(taps):
            here = code.build.icmp_unsigned("==", where, _all(places, number))
            code.store(code.build.select(here, slope, zero), code.at(result, tap), mask)

    _windows(code, kh, kw, one)
    return machine().compile(code.done())


def _code(name: str, kh: int, kw: int, bits: int) -> Code:
    lanes = min(_MOST_LANES, machine().vector_bytes * 8 // bits)
    return Code(f"{name}_{kh}_{kw}_{bits}", pointers=3, integers=6, bits=bits, lanes=lanes)


def _all(kind: ir.VectorType, number: int) -> ir.Constant:
    return ir.Constant(kind, [number] * kind.count)


def _windows(code: Code, kh: int, kw: int, one: Callable[[Any, list[Any], Any], None]) -> None:
    """For each window, and vector of its batch: where its output lies, and each of its numbers."""
    planes, height, width, rows, columns, batch = code.integers
    with code.loop(0, planes) as m, code.loop(0, rows) as y, code.loop(0, columns) as x:
        row = code.sum(code.product(m, height), code.product(y, kh))
        window = code.product(code.sum(code.product(row, width), code.product(x, kw)), batch)
        row = code.sum(code.product(m, rows), y)
        target = code.product(code.sum(code.product(row, columns), x), batch)

        def of_vector(b: Any, mask: Any = None) -> None:
            taps = [
                code.sum(window, code.product(code.sum(code.product(width, i), j), batch), b)
                for i, j in product(range(kh), range(kw))
            ]
            one(code.sum(target, b), taps, mask)

        position = code.variable(INT(0))
        with code.run(position, batch, code.lanes) as b:
            of_vector(b)
        with code.rest(position, batch) as (b, mask):
            of_vector(b, mask)
