"""Batch normalisation of planes in training: a channel's values lie side by side, in the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from augbench.packed.codegen.code import INT, Code
from augbench.packed.codegen.processor import compiled

__all__ = ["normalize", "normalize_gradient"]

_AT_ONCE = 4  # vectors: a sum that waits for the one before it would take four times as long


@compiled(16)
def normalize(track: bool, add: bool, rectify: bool, bits: int) -> Code:
    """Compile y = (x − mean)/√(variance + ε) · weight + bias, for each of M runs of n numbers.

    Its arguments: output [M, n], mean [M], 1/√(variance + ε) [M], input [M, n], weight and bias
    [M], and ε, momentum m and n/(n − 1) [3]; to `track`, running mean and variance [M], which
    become (1 − m) · running + m · (mean, or variance · n/(n − 1)), and how often they did, int64
    [1]; to `add` to y, a map [M, n]; M, n. To `rectify` is to raise negative numbers to zero at
    last.
    """
    code = Code(
        f"normalize_{track}_{add}_{rectify}_{bits}".lower(),
        "out mean inverse source weight bias constants"
        + " running_mean running_variance counter:int64" * track
        + " shortcut" * add,
        "planes length",
        bits=bits,
    )
    build, given, length = code.build, code.given, code.given.length
    count = build.sitofp(length, code.real)
    root = ir.Function(code.module, ir.FunctionType(code.real, [code.real]), f"llvm.sqrt.f{bits}")
    epsilon, momentum, unbiased = (
        code.load(code.at(given.constants, n), code.real) for n in range(3)
    )

    def follow(place: Any, now: Any) -> None:
        before = code.load(place, code.real)
        moved = build.fadd(before, build.fmul(momentum, build.fsub(now, before)))
        # A variance beyond the largest number is ∞, and stays so; ∞ − ∞ would be none.
        kept = build.fmul(build.fsub(code.real(1.0), momentum), before)
        finite = build.fcmp_ordered("==", build.fsub(moved, moved), code.real(0.0))
        other = build.fadd(kept, build.fmul(momentum, now))
        code.store(build.select(finite, moved, other), place)

    if track:
        code.store(code.sum(code.load(given.counter, INT), 1), given.counter)
    with code.loop(0, given.planes) as m:
        offset = code.product(m, length)
        source, out = code.at(given.source, offset), code.at(given.out, offset)

        def value(x: Any, mask: Any) -> Any:
            return code.load(code.at(source, x), mask=mask)

        (total,) = _sums(code, length, 1, lambda x, mask: [value(x, mask)])
        mean = build.fdiv(total, count)
        middle = code.splat(mean)

        def squared(x: Any, mask: Any) -> list[Any]:
            distance = build.fsub(value(x, mask), middle)
            return [build.fmul(distance, distance)]

        (total,) = _sums(code, length, 1, squared)
        variance = build.fdiv(total, count)
        inverse = build.fdiv(code.real(1.0), build.call(root, [build.fadd(variance, epsilon)]))
        code.store(mean, code.at(given.mean, m))
        code.store(inverse, code.at(given.inverse, m))
        if track:
            follow(code.at(given.running_mean, m), mean)
            follow(code.at(given.running_variance, m), build.fmul(variance, unbiased))
        factor = build.fmul(inverse, code.load(code.at(given.weight, m), code.real))
        factors, biases = (
            code.splat(n) for n in (factor, code.load(code.at(given.bias, m), code.real))
        )

        def write(x: Any, mask: Any) -> None:
            scaled = build.fmul(build.fsub(value(x, mask), middle), factors)
            made = build.fadd(scaled, biases)
            if add:
                also = code.load(code.at(given.shortcut, code.sum(offset, x)), mask=mask)
                made = build.fadd(made, also)
            code.store(code.rectified(made) if rectify else made, code.at(out, x), mask)

        code.each(length, write)
    return code.done()


@compiled(8)
def normalize_gradient(add: bool, rectify: bool, bits: int) -> Code:
    """Compile the gradient of `normalize` with respect to input, weight and bias.

    With x̂ = (x − mean) · inverse: own_bias = Σ slope, own_weight = Σ slope · x̂, and
    own_source = weight · inverse · (slope − own_bias/n − x̂ · own_weight/n). Its arguments: these
    three, slopes [M, n], input, mean, inverse, weight and bias; after an `add`, the gradient of
    what was added and the output [M, n]; M, n. After `rectify`, slopes where the output is zero
    count as zero; the output is made again, from the input alone, where nothing was added.
    """
    code = Code(
        f"normalize_gradient_{add}_{rectify}_{bits}".lower(),
        "own_source own_weight own_bias slopes source mean inverse weight bias"
        + " own_shortcut out" * add,
        "planes length",
        bits=bits,
    )
    build, given, length = code.build, code.given, code.given.length
    count = build.sitofp(length, code.real)
    with code.loop(0, given.planes) as m:
        offset = code.product(m, length)
        source, slopes, own_source = (
            code.at(p, offset) for p in (given.source, given.slopes, given.own_source)
        )
        mean, inverse, weight = (
            code.load(code.at(p, m), code.real) for p in (given.mean, given.inverse, given.weight)
        )
        middle, inverses = code.splat(mean), code.splat(inverse)
        factor = code.splat(build.fmul(inverse, weight))
        biases = code.splat(code.load(code.at(given.bias, m), code.real))

        def both(x: Any, mask: Any) -> tuple[Any, Any]:
            distance = build.fsub(code.load(code.at(source, x), mask=mask), middle)
            slope = code.load(code.at(slopes, x), mask=mask)
            if rectify and add:
                out = code.load(code.at(given.out, code.sum(offset, x)), mask=mask)
                slope = code.where_positive(out, slope)
            elif rectify:  # to the bit, what `normalize` made
                out = build.fadd(build.fmul(distance, factor), biases)
                slope = code.where_positive(out, slope)
            return slope, build.fmul(distance, inverses)

        def terms(x: Any, mask: Any) -> list[Any]:
            slope, normal = both(x, mask)
            return [slope, build.fmul(slope, normal)]

        own_bias, own_weight = _sums(code, length, 2, terms)
        code.store(own_bias, code.at(given.own_bias, m))
        code.store(own_weight, code.at(given.own_weight, m))
        shift, tilt = (code.splat(build.fdiv(n, count)) for n in (own_bias, own_weight))

        def write(x: Any, mask: Any) -> None:
            slope, normal = both(x, mask)
            if add:
                code.store(slope, code.at(given.own_shortcut, code.sum(offset, x)), mask)
            rest = build.fsub(build.fsub(slope, shift), build.fmul(normal, tilt))
            code.store(build.fmul(rest, factor), code.at(own_source, x), mask)

        code.each(length, write)
    return code.done()


def _sums(
    code: Code, length: Any, count: int, terms: Callable[[Any, Any], Sequence[Any]]
) -> list[Any]:
    """The sums, over a run, of each of the vectors that `terms` gives for a place in it."""
    zero = ir.Constant(code.vector, None)
    sums = [[code.variable(zero) for _ in range(_AT_ONCE)] for _ in range(count)]
    position = code.variable(INT(0))

    def add(part: int, values: Sequence[Any]) -> None:
        for variables, value in zip(sums, values, strict=True):
            code.set(variables[part], code.build.fadd(code.get(variables[part]), value))

    with code.run(position, length, _AT_ONCE * code.lanes) as x:
        for part in range(_AT_ONCE):
            add(part, terms(code.sum(x, part * code.lanes), None))
    with code.masked_run(position, length) as (x, mask):
        add(0, [code.build.select(mask, value, zero) for value in terms(x, mask)])
    totals = []
    for variables in sums:
        total = code.get(variables[0])
        for variable in variables[1:]:
            total = code.build.fadd(total, code.get(variable))
        totals.append(code.total(total))
    return totals
