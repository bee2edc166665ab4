"""Maximum over windows that touch and do not overlap, of planes, and its gradient."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

from llvmlite import ir

from augbench.packed.codegen.code import Code
from augbench.packed.codegen.processor import compiled

__all__ = ["NOWHERE", "emit_pool", "emit_pool_gradient", "pool", "pool_gradient"]

NOWHERE = 255
"""The place of a maximum that was raised to zero: its slope goes nowhere."""

_MOST_LANES = 8  # a column of a batch of 8 fills them, where the widest vector would be half empty
_SIZES = "planes plane row rows columns batch"


@compiled(8)
def pool(size: tuple[int, int], bits: int) -> Code:
    """Compile the maximum over windows of a size kh × kw, and where in its window each one lies.

    Its arguments: output [M, Ho, Wo, B], place uint8 of the same shape (i·kw + j) and input
    [M, plane], whose rows of columns of B lie `row` apart; M, plane, row, Ho, Wo, B. Of equals
    the first counts, of several NaN the last, as in torch.
    """
    code = Code(f"pool_{size[0]}_{size[1]}_{bits}", "out place:uint8 source", _SIZES, bits=bits)
    emit_pool(code, size, False, **vars(code.given))
    return code.done()


@compiled(8)
def pool_gradient(size: tuple[int, int], bits: int) -> Code:
    """Compile the gradient of `pool`: each slope goes to where its maximum was, zero elsewhere.

    Its arguments: the result [M, plane], the slopes and the places [M, Ho, Wo, B], and the sums
    [M] of what went anywhere; integers as in `pool`. What no window covers stays as it is.
    """
    code = Code(
        f"pool_gradient_{size[0]}_{size[1]}_{bits}",
        "result slopes place:uint8 totals",
        _SIZES,
        bits=bits,
    )
    emit_pool_gradient(code, size, **vars(code.given))
    return code.done()


def emit_pool(
    code: Code,
    size: tuple[int, int],
    rectify: bool,
    *,
    out: Any,
    place: Any,
    source: Any,
    **sizes: Any,
) -> None:
    """See `pool`. To `rectify` is to raise negative maxima to zero; their place is `NOWHERE`."""

    def one(at: Any, taps: list[Any], mask: Any) -> None:
        places, zero = ir.VectorType(code.byte, code.lanes), ir.Constant(code.vector, None)
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
        if rectify:
            negative = code.build.fcmp_ordered("<=", best, zero)  # NaN stays
            best = code.build.select(negative, zero, best)
            where = code.build.select(negative, _all(places, NOWHERE), where)
        code.store(best, code.at(out, at), mask)
        code.store(where, code.at(place, at, code.byte), mask)

    with code.narrowed(_MOST_LANES), code.loop(0, sizes["planes"]) as m:
        _windows(code, m, size, one, **sizes)


def emit_pool_gradient(
    code: Code,
    size: tuple[int, int],
    *,
    result: Any,
    slopes: Any,
    place: Any,
    totals: Any,
    **sizes: Any,
) -> None:
    """See `pool_gradient`."""
    with code.narrowed(_MOST_LANES), code.loop(0, sizes["planes"]) as m:
        total = code.variable(ir.Constant(code.vector, None))

        def one(at: Any, taps: list[Any], mask: Any) -> None:
            places, zero = ir.VectorType(code.byte, code.lanes), ir.Constant(code.vector, None)
            slope = code.load(code.at(slopes, at), mask=mask)
            where = code.load(code.at(place, at, code.byte), places, mask)
            lost = code.build.icmp_unsigned("==", where, _all(places, NOWHERE))
            slope = code.build.select(lost, zero, slope)
            code.set(total, code.build.fadd(code.get(total), slope))
            for number, tap in enumerate(taps):
                here = code.build.icmp_unsigned("==", where, _all(places, number))
                code.store(code.build.select(here, slope, zero), code.at(result, tap), mask)

        _windows(code, m, size, one, **sizes)
        code.store(code.total(code.get(total)), code.at(totals, m))


def _all(kind: ir.VectorType, number: int) -> ir.Constant:
    return ir.Constant(kind, [number] * kind.count)


def _windows(
    code: Code,
    m: Any,
    size: tuple[int, int],
    one: Callable[[Any, list[Any], Any], None],
    *,
    planes: Any,
    plane: Any,
    row: Any,
    rows: Any,
    columns: Any,
    batch: Any,
) -> None:
    """For each window of plane m, and vector of its batch: where its output and its numbers lie."""
    with code.loop(0, rows) as y, code.loop(0, columns) as x:
        corner = code.sum(
            code.product(m, plane), code.product(y, size[0], row), code.product(x, size[1], batch)
        )
        target = code.product(
            code.sum(code.product(code.sum(code.product(m, rows), y), columns), x), batch
        )

        def of_vector(b: Any, mask: Any) -> None:
            taps = [
                code.sum(corner, code.product(row, i), code.product(batch, j), b)
                for i, j in product(range(size[0]), range(size[1]))
            ]
            one(code.sum(target, b), taps, mask)

        code.each(batch, of_vector)
