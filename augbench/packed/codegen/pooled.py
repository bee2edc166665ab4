"""Convolution of stride 1 with the pooling that follows it, and the gradients of both.

A group's values stay in a scratch between the two, which stays in the cache.
"""

from __future__ import annotations

from typing import Any

from augbench.packed.codegen.code import INT, Code
from augbench.packed.codegen.convolution import Sizes, Weights, emit_convolution
from augbench.packed.codegen.gradients import ByColumns, emit_by_columns, emit_weight_gradient
from augbench.packed.codegen.pooling import emit_pool, emit_pool_gradient
from augbench.packed.codegen.processor import compiled

__all__ = ["convolve_and_pool", "gradients_through_pool"]


@compiled(16)
def convolve_and_pool(tile: int, kw: int, pool: tuple[int, int], rectify: bool, bits: int) -> Code:
    """Compile a convolution with the pooling that follows it.

    Its arguments: pooled output and place as in `pooling.pool`, scratches [outputs, rows, columns,
    B] and [outputs·channels·kh·kw], input, weights [G·outputs, channels, kh, kw], bias and taps as
    in `convolve`; G, outputs, channels, height, row, rows, columns, B, padding of the rows, kh.
    """
    code = Code(
        f"convolve_and_pool_{tile}_{kw}_{pool[0]}_{pool[1]}_{rectify}_{bits}".lower(),
        "out place:uint8 scratch packed source weights bias taps:int64",
        "groups outputs channels height row rows columns batch padding kh",
        bits=bits,
    )
    given = code.given
    length = code.product(given.columns, given.batch)
    sizes = Sizes.of(given, stride=INT(1), length=length, kw=INT(kw))
    pooling = _pooling(code, pool, sizes.length)
    pooled = code.product(given.outputs, pooling["rows"], pooling["columns"], given.batch)
    with code.loop(0, given.groups) as g:
        emit_convolution(
            code,
            tile,
            sizes,
            Weights.plain(code, sizes.weights(code, given.weights, g), sizes),
            out=given.scratch,
            packed=given.packed,
            source=sizes.source(code, given.source, g),
            bias=code.at(given.bias, code.product(g, given.outputs)),
            taps=given.taps,
        )
        emit_pool(
            code,
            pool,
            rectify,
            out=code.at(given.out, code.product(g, pooled)),
            place=code.at(given.place, code.product(g, pooled), code.byte),
            source=given.scratch,
            **pooling,
        )
    return code.done()


@compiled(16)
def gradients_through_pool(
    tile: int, kw: int, pool: tuple[int, int], turned: int | ByColumns | None, bits: int
) -> Code:
    """Compile the gradients of `convolve_and_pool`.

    The gradient of the input is summed by columns, or is a convolution in tiles of `turned`
    channels, or is not asked for. The arguments: the gradients of the weights, of the bias and of
    the input [G·channels, height, width, B], the slopes of the pooled output, its place, a scratch
    of zeros [outputs, rows, slope row] and one [outputs·channels·kh·kw], input, weights and taps as
    in `convolve_and_pool`, zeros [channels] and the taps of the slopes; G, outputs, channels,
    height, width, row, rows, columns, B, slope row, how many zeros precede the slopes in it,
    padding of the rows, kh.
    """
    code = Code(
        f"gradients_through_pool_{tile}_{kw}_{pool[0]}_{pool[1]}_{_named(turned)}_{bits}",
        "own_weights own_bias own_source slopes place:uint8 scratch packed source weights"
        " taps:int64 zeros back:int64",
        "groups outputs channels height width row rows columns batch slope_row left padding kh",
        bits=bits,
    )
    given = code.given
    length = code.product(given.columns, given.batch)
    sizes = Sizes.of(given, stride=INT(1), length=length, kw=INT(kw))
    pooling = _pooling(code, pool, given.slope_row)
    pooled = code.product(given.outputs, pooling["rows"], pooling["columns"], given.batch)
    inner = code.at(given.scratch, given.left)
    of_source = code.product(given.channels, given.height, given.width, given.batch)
    with code.loop(0, given.groups) as g:
        emit_pool_gradient(
            code,
            pool,
            result=inner,
            slopes=code.at(given.slopes, code.product(g, pooled)),
            place=code.at(given.place, code.product(g, pooled), code.byte),
            totals=code.at(given.own_bias, code.product(g, given.outputs)),
            **pooling,
        )
        emit_weight_gradient(
            code,
            tile,
            kw,
            sizes,
            result=sizes.weights(code, given.own_weights, g),
            slopes=inner,
            slope_row=given.slope_row,
            source=sizes.source(code, given.source, g),
            taps=given.taps,
        )
        own_source = code.at(given.own_source, code.product(g, of_source))
        weights = sizes.weights(code, given.weights, g)
        if isinstance(turned, ByColumns):
            emit_by_columns(
                code,
                turned,
                sizes,
                result=own_source,
                slopes=given.scratch,
                weights=weights,
                batch=given.batch,
            )
        elif turned:
            emit_convolution(
                code,
                turned,
                sizes.turned(code, width=given.width, batch=given.batch, row=given.slope_row),
                Weights.turned(code, weights, sizes),
                out=own_source,
                packed=given.packed,
                source=given.scratch,
                bias=given.zeros,
                taps=given.back,
            )
    return code.done()


def _pooling(code: Code, pool: tuple[int, int], row: Any) -> dict[str, Any]:
    """What the pooling of one group's scratch is told."""
    given = code.given
    return {
        "planes": given.outputs,
        "plane": code.product(given.rows, row),
        "row": row,
        "rows": code.build.sdiv(given.rows, INT(pool[0])),
        "columns": code.build.sdiv(given.columns, INT(pool[1])),
        "batch": given.batch,
    }


def _named(turned: int | ByColumns | None) -> str:
    return "_".join(map(str, turned)) if isinstance(turned, ByColumns) else str(turned).lower()
