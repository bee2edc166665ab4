"""Convolutions of batch-last maps: what their shapes decide, worked out once."""

from __future__ import annotations

from functools import cached_property, lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from augbench.packed.ops.copying import copy, lay_rows
from augbench.packed.ops.layout import batch_last, call, kernels, new_map
from augbench.packed.ops.scratch import scratch, zeros

__all__ = ["ConvolutionSpec", "Plan", "taps_of", "tile_of", "weight_tile"]


class ConvolutionSpec(NamedTuple):
    """The arguments of a convolution beside its shapes; `bits` are those of a number."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    groups: int
    pool: tuple[int, int] | None
    rectify: bool
    bits: int


class _Part(NamedTuple):
    """The pixels [y::stride, x::stride] of an input: `rows` × `columns` of them.

    Their gradient is a convolution of the slopes with kh×kw of the weights, of which the first is
    number `weight` of a kernel; its rows begin at a `column`, below `padding` rows of zeros.
    """

    y: int
    x: int
    rows: int
    columns: int
    kh: int
    kw: int
    padding: int
    column: int
    weight: int


class Plan:
    """A convolution of certain shapes, and its gradients.

    Its methods take and fill planes, each but the input's contiguous.
    """

    def __init__(self, image: torch.Size, weight: torch.Size, spec: ConvolutionSpec) -> None:
        self.batch, maps, self.height, self.width = image
        self.maps, self.inputs, self.kh, self.kw = weight
        self.outputs, self.spec = self.maps // spec.groups, spec
        (sh, sw), (ph, pw) = spec.stride, spec.padding
        self.rows = (self.height + 2 * ph - self.kh) // sh + 1
        self.columns = (self.width + 2 * pw - self.kw) // sw + 1
        self.in_shape = maps, self.height, self.width, self.batch
        # The columns of a row, padded; with a stride, those of one remainder lie side by side.
        # Width 5, padding 1, stride 2: of z x0 x1 x2 x3 x4 z and one more z to make them even, the
        # row becomes  z x1 x3 z | x0 x2 x4 z.  Output column x of tap j needs padded column 2x + j,
        # so each tap reads consecutive columns, whatever the stride: taps of [0, 4, 1] columns.
        self._fill = -(self.width + 2 * pw) % sw
        row = self.width + 2 * pw + self._fill
        self.taps, self.row = taps_of(self.kw, sw, row, self.batch), row * self.batch
        # The gradient of the input is made by columns, or as a convolution of the slopes. By
        # columns is for short rows: it takes no product with the zeros beside an image. Those are 6
        # of 35 where 5 columns of a kernel slide over 7 of an image, padded by 2.
        self.by_columns = None
        if spec.stride == (1, 1):
            fitting = kernels().ByColumns.fitting
            self.by_columns = fitting(self.width, self.kw, pw, self.batch, self.inputs)
        # What every kernel is told, by its own names.
        self.sizes = {
            "groups": spec.groups,
            "outputs": self.outputs,
            "channels": self.inputs,
            "height": self.height,
            "rows": self.rows,
            "padding": ph,
            "kh": self.kh,
        }

    def rows_of(self, x: Tensor) -> Tensor:
        """The rows as the kernels read them: padded, and in the order of the stride."""
        padding, stride = self.spec.padding[1], self.spec.stride[1]
        columns = self.width + 2 * padding + self._fill
        if stride == 1 and not padding:
            return x
        rows = x.new_empty(len(x), self.height, columns, self.batch)
        lay_rows(rows, x, padding, stride)
        return rows

    def forward(
        self, source: Tensor, weight: Tensor, bias: Tensor, shortcut: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """The batch-last output [G·O, rows, columns, B], and what else its gradient needs.

        A shortcut, planes like the output, is added before it is rectified; without a gradient.
        """
        out = new_map(source, self.maps, self.rows, self.columns, self.batch)
        call(
            kernels().convolve(
                *(tile_of(self.outputs), self.kw, shortcut is not None),
                *(self.spec.rectify, self.spec.bits),
            ),
            out=batch_last(out),
            packed=self.packed(weight),
            source=source,
            weights=weight,
            bias=bias,
            taps=self.taps,
            shortcut=shortcut,
            **self.sizes,
            row=self.row,
            length=self.columns * self.batch,
            stride=self.spec.stride[0],
            by_group=self.outputs * self._by_output,
            by_output=self._by_output,
            by_channel=self.kh * self.kw,
            by_row=self.kw,
            by_column=1,
        )
        return (out, out) if self.spec.rectify else (out,)

    def gradients(
        self,
        own_x: Tensor | None,
        own_weight: Tensor,
        own_bias: Tensor | None,
        slopes: Tensor,
        *kept: Tensor,
        added: Tensor | None = None,
    ) -> None:
        """Fill the gradients of input, weight and bias, but for those that are None.

        To the input's are `added` the slopes, batch-last, that its other users send back.
        """
        *rectified, source, weight = kept
        if rectified:
            slopes = torch.ops.aten.threshold_backward(slopes, batch_last(rectified[0]), 0)
        self.gradient_of_weights(own_weight, slopes, source)
        if own_bias is not None:
            torch.sum(slopes.flatten(1), 1, out=own_bias)
        if own_x is not None:
            self.gradient_of_input(batch_last(own_x), slopes, weight, added)

    def gradient_of_weights(self, own_weight: Tensor, slopes: Tensor, source: Tensor) -> None:
        """Fill the gradient of the weights."""
        call(
            kernels().weight_gradient(weight_tile(self.outputs, self.kw), self.kw, self.spec.bits),
            result=own_weight,
            slopes=slopes,
            source=source,
            taps=self.taps,
            **self.sizes,
            row=self.row,
            length=self.columns * self.batch,
            stride=self.spec.stride[0],
        )

    def gradient_of_input(
        self, own_x: Tensor, slopes: Tensor, weight: Tensor, added: Tensor | None
    ) -> None:
        """Fill the gradient of the input, and add to it."""
        if self.by_columns is not None:
            call(
                kernels().input_gradient(self.by_columns, self.kw, self.spec.bits),
                result=own_x,
                slopes=slopes,
                weights=weight,
                **self.sizes,
                batch=self.batch,
            )
            if added is not None:
                own_x.add_(added)
            return
        sh, sw = self.spec.stride
        if sh > self.kh or sw > self.kw:  # then no output looks at some of the pixels
            own_x.zero_() if added is None else own_x.copy_(added)
        behind = max(0, (self.width - 1 + self.spec.padding[1]) // sw + 1 - self.columns)
        shape = len(slopes), self.rows, self.kw - 1 + self.columns + behind, self.batch
        largest = max(part.rows * part.columns for part in self._parts)
        sizes = prod(shape), len(own_x) * largest * self.batch, self.outputs * self._by_output
        between, results, packed = scratch(slopes, *sizes)
        lay_rows(between.view(shape), slopes, self.kw - 1, 1)
        weights = weight.flatten()
        for part in self._parts:
            # A convolution, of stride 1, of slopes between zeros, with weights turned round: hence
            # the negative steps, from the part's last row and column back to its first.
            target = own_x[:, part.y :: sh, part.x :: sw]
            result, shortcut = own_x, added
            if self.spec.stride != (1, 1):
                result, shortcut = results[: target.numel()].view(target.shape), None
            taps = taps_of(part.kw, 1, part.columns, self.batch)
            call(
                kernels().convolve(
                    *(tile_of(self.inputs), part.kw, shortcut is not None, False, self.spec.bits)
                ),
                out=result,
                packed=packed,
                source=between[part.column * self.batch :],
                weights=weights[part.weight :],
                bias=zeros(slopes, len(own_x)),
                taps=taps,
                shortcut=shortcut,
                groups=self.spec.groups,
                outputs=self.inputs,
                channels=self.outputs,
                height=self.rows,
                row=shape[2] * self.batch,
                rows=part.rows,
                length=part.columns * self.batch,
                stride=1,
                padding=part.padding,
                kh=part.kh,
                by_group=self.outputs * self._by_output,
                by_output=self.kh * self.kw,
                by_channel=self._by_output,
                by_row=-sh * self.kw,
                by_column=-sw,
            )
            if result is not own_x:
                rest = None if added is None else added[:, part.y :: sh, part.x :: sw]
                copy(target, result, rest)

    @cached_property
    def _parts(self) -> list[_Part]:
        """The parts of the input: each meets other rows and columns of the kernel."""
        (sh, sw), (ph, pw) = self.spec.stride, self.spec.padding
        parts = []
        # Rows alone, for a kernel of 3, stride 2 and padding 1: output y reads rows 2y − 1, 2y and
        # 2y + 1. So an odd row 2y + 1 meets kernel row 2 of output y and row 0 of output y + 1 (a
        # part with kh = 2), an even one meets row 1 of one output (a part with kh = 1).
        for i, j in product(range(min(sh, self.kh)), range(min(sw, self.kw))):
            kh, kw = -(-(self.kh - i) // sh), -(-(self.kw - j) // sw)
            # The slope [u, v] that the part's first weight takes to the first such pixel [y, x].
            u, v = -((i - ph) // sh), -((j - pw) // sw)
            y, x = u * sh + i - ph, v * sw + j - pw
            rows, columns = len(range(y, self.height, sh)), len(range(x, self.width, sw))
            if rows and columns:
                # Of the rows i, i + stride, … and such columns, the last comes first.
                weight = (i + (kh - 1) * sh) * self.kw + j + (kw - 1) * sw
                column, padding = self.kw - kw + v, kh - 1 - u
                parts.append(_Part(y, x, rows, columns, kh, kw, padding, column, weight))
        return parts

    @property
    def _by_output(self) -> int:
        """The number of weights that an output channel has."""
        return self.inputs * self.kh * self.kw

    def packed(self, weight: Tensor) -> Tensor:
        """A scratch for one group's weights."""
        (room,) = scratch(weight, self.outputs * self._by_output)
        return room


def tile_of(channels: int) -> int:
    """The number of output channels that a convolution sums at once."""
    tile: int = kernels().tile_of(channels)
    return tile


def weight_tile(outputs: int, kw: int) -> int:
    """The number of output channels whose weights' gradients are summed at once."""
    tile: int = kernels().block_of(outputs, max(1, kernels().widest_kernel() // kw))
    return tile


@lru_cache(maxsize=64)
def taps_of(kw: int, stride: int, width: int, batch: int) -> Tensor:
    """The offset of each column of a kernel in a row of `width` columns; see `rows_of`."""
    per_remainder = width // stride
    with torch.inference_mode(False):  # it is kept, and may be needed for gradients later
        return torch.tensor([(j % stride * per_remainder + j // stride) * batch for j in range(kw)])
