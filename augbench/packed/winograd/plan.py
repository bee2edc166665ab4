"""Convolutions of batch-last maps with fewer products; see `filtering.py`."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from augbench.packed.ops.layout import batch_last, call, kernels, new_map
from augbench.packed.ops.plans import ConvolutionSpec, Plan, tile_of
from augbench.packed.ops.scratch import scratch, zeros

__all__ = ["WinogradPlan"]

_TILE = 36
"""The numbers of a transformed tile."""

_LENGTH = 48
"""The products' rows are as long as that, at least, so that most of their vectors are full."""

_LONGEST = 64
"""Blocks of longer rows would leave the cache."""

_TRANSFORM = 270
"""The cost of transforming a tile of one channel, in products; measured, of full vectors.

F(4×4, 3×3) makes 16 outputs of 36 products, where plain sums take 144; F(2×2, 5×5) makes 4 of
36, where they take 100. With C inputs and O outputs that saving is made C·O times, the transforms
C + O times: they pay where both are large.
"""


def _filtering() -> Any:
    """The kernels, which import llvmlite: only where they can be had."""
    from augbench.packed.winograd import filtering

    return filtering


class WinogradPlan(Plan):
    """A convolution of stride 1 and a kernel of 3×3 or 5×5, by transforming tiles.

    Rows are read as they are.
    """

    @staticmethod
    def serves(image: torch.Size, weight: torch.Size, spec: ConvolutionSpec) -> bool:
        """True if that is possible, and the transforms take less than they save."""
        outputs, inputs, k = weight[0] // spec.groups, weight[1], weight[2]
        if k not in (3, 5) or weight[3] != k or spec.stride != (1, 1):
            return False
        rows, columns = (
            extent + 2 * pad - k + 1 for extent, pad in zip(image[2:], spec.padding, strict=True)
        )
        tiles = _Tiles.of(rows, columns, k, image[0])
        lanes = kernels().machine().vector_bytes * 8 // spec.bits
        transforms = _TRANSFORM * max(1, lanes / image[0]) * (inputs + outputs)
        products = _TILE * inputs * outputs + transforms
        direct = rows * columns * k * k * inputs * outputs
        # By a tenth at least: tiles that reach beyond the image are counted, memory is not.
        return bool(tiles.down * tiles.across * products < 0.9 * direct)

    def __init__(self, image: torch.Size, weight: torch.Size, spec: ConvolutionSpec) -> None:
        super().__init__(image, weight, spec)
        self.in_vectors = _filtering().Batch.of(self.batch, spec.bits)

    def rows_of(self, x: Tensor) -> Tensor:
        """The rows as the kernels read them."""
        return x

    def forward(
        self, source: Tensor, weight: Tensor, bias: Tensor, shortcut: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """The batch-last output [G·O, rows, columns, B], and what else its gradient needs."""
        out = new_map(source, self.maps, self.rows, self.columns, self.batch)
        self._convolve(batch_last(out), source, weight, bias, shortcut, turned=False)
        return (out, out) if self.spec.rectify else (out,)

    def gradient_of_input(
        self, own_x: Tensor, slopes: Tensor, weight: Tensor, added: Tensor | None
    ) -> None:
        """Fill the gradient of the input: a convolution of the slopes with turned weights."""
        nothing = zeros(slopes, self.spec.groups * self.inputs)
        self._convolve(own_x, slopes, weight, nothing, added, turned=True)

    def gradient_of_weights(self, own_weight: Tensor, slopes: Tensor, source: Tensor) -> None:
        """Fill the gradient of the weights."""
        tiles = _Tiles.of(self.rows, self.columns, self.kh, self.batch)
        lanes = _filtering().Lanes.of(self.outputs, self.inputs, self.spec.bits)
        padded, like = lanes.lanes * lanes.vectors, slopes
        values = self.height * self.width * self.batch * padded
        room = _TILE * self.outputs * padded, tiles.room(padded), tiles.room(self.outputs)
        if padded == self.inputs:
            turned, *rest = scratch(like, values, *room)
        else:  # the lanes that stay empty have to be zero
            turned, rest = zeros(like, values, (self, "turned")), scratch(like, *room)
        of_weights, of_values, of_slopes = rest
        call(
            _filtering().winograd_weight_gradient(self.kh, lanes, self.in_vectors, self.spec.bits),
            result=own_weight,
            slopes=slopes,
            turned=turned,
            packed=of_weights,
            values=of_values,
            sums=of_slopes,
            strip=zeros(like, 7 * tiles.wide * padded, (self, "values")),
            lines=zeros(like, 7 * tiles.wide, (self, "slopes")),
            source=source,
            groups=self.spec.groups,
            outputs=self.outputs,
            channels=self.inputs,
            height=self.height,
            width=self.width,
            rows=self.rows,
            columns=self.columns,
            batch=self.batch,
            top=self.spec.padding[0],
            left=self.spec.padding[1],
            down=tiles.down,
            across=tiles.across,
            at_once=tiles.at_once,
            beside=tiles.beside,
        )

    def _convolve(
        self,
        out: Tensor,
        source: Tensor,
        weight: Tensor,
        bias: Tensor,
        shortcut: Tensor | None,
        *,
        turned: bool,
    ) -> None:
        """The convolution, or with weights turned round the one from its outputs to its inputs."""
        before, rectify = self.spec.padding, self.spec.rectify
        source_shape = self.inputs, self.height, self.width
        out_shape = self.outputs, self.rows, self.columns
        if turned:
            source_shape, out_shape, rectify = out_shape, source_shape, False
            before = self.kh - 1 - before[0], self.kw - 1 - before[1]
        (inputs, height, width), (outputs, rows, columns) = source_shape, out_shape
        tiles = _Tiles.of(rows, columns, self.kh, self.batch)
        strip = zeros(weight, 7 * tiles.wide, (self, turned))
        room = _TILE * outputs * inputs, tiles.room(inputs), tiles.room(outputs), 7 * tiles.wide
        packed, values, sums, lines = scratch(weight, *room)
        call(
            _filtering().winograd(
                *(self.kh, tile_of(outputs), turned, shortcut is not None, rectify),
                *(self.in_vectors, self.spec.bits),
            ),
            out=out,
            packed=packed,
            values=values,
            sums=sums,
            strip=strip,
            lines=lines,
            source=source,
            weights=weight,
            bias=bias,
            shortcut=shortcut,
            groups=self.spec.groups,
            outputs=outputs,
            channels=inputs,
            height=height,
            width=width,
            rows=rows,
            columns=columns,
            batch=self.batch,
            top=before[0],
            left=before[1],
            down=tiles.down,
            across=tiles.across,
            at_once=tiles.at_once,
            beside=tiles.beside,
        )


class _Tiles(NamedTuple):
    """The tiles that outputs are cut into; see `filtering.py`."""

    down: int
    across: int
    at_once: int
    beside: int
    wide: int
    batch: int

    @staticmethod
    def of(rows: int, columns: int, k: int, batch: int) -> _Tiles:
        """Blocks that give the products rows of some length, but do not leave the cache."""
        m = _filtering().SIDE + 1 - k
        down, across = -(-rows // m), -(-columns // m)
        at_once = min(down, -(-_LENGTH // (across * batch)))
        parts = max(1, round(across * batch / _LONGEST)) if at_once == 1 else 1
        beside = -(-across // parts)
        return _Tiles(down, across, at_once, beside, (across * m + k - 1) * batch, batch)

    def room(self, maps: int) -> int:
        """The size, in numbers, of the tiles of `maps` channels that are worked on at once."""
        apart: int = _filtering().APART
        return _TILE * (maps * self.at_once * self.beside * self.batch + apart)
