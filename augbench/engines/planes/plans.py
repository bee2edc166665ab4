"""How a convolution of planes goes: what its shapes decide is worked out once."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from augbench.engines.planes.layout import call, kernels, new_map, planes_of

__all__ = ["How", "Plan", "taps_of", "tile_of", "weight_tile"]


class How(NamedTuple):
    """What a convolution is told, beside its shapes."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    groups: int
    pool: tuple[int, int] | None
    rectify: bool
    bits: int


class Plan:
    """How a convolution of certain shapes goes: what they decide is worked out once.

    Its methods take and fill planes, each but the input's contiguous.
    """

    def __init__(self, image: torch.Size, weight: torch.Size, how: How) -> None:
        self.batch, maps, self.height, self.width = image
        self.maps, self.inputs, self.kh, self.kw = weight
        self.outputs, self.how = self.maps // how.groups, how
        (sh, sw), (ph, pw) = how.stride, how.padding
        self.rows = (self.height + 2 * ph - self.kh) // sh + 1
        self.columns = (self.width + 2 * pw - self.kw) // sw + 1
        self.in_shape = maps, self.height, self.width, self.batch
        # The columns of a row, padded; with a stride, those of one remainder lie side by side.
        self._fill = -(self.width + 2 * pw) % sw
        row = self.width + 2 * pw + self._fill
        self.taps, self.row = taps_of(self.kw, sw, row, self.batch), row * self.batch
        # The gradient of the input is made by columns, or as a convolution of the slopes.
        self.by_columns = None
        if how.stride == (1, 1):
            fitting = kernels().ByColumns.fitting
            self.by_columns = fitting(self.width, self.kw, pw, self.batch, self.inputs)

    def rows_of(self, x: Tensor) -> Tensor:
        """The rows as the kernels read them: padded, and in the order of the stride."""
        padding, stride = self.how.padding[1], self.how.stride[1]
        if stride == 1:
            return F.pad(x, (0, 0, padding, padding)) if padding else x
        columns = self.width + 2 * padding + self._fill
        rows = x.new_zeros(len(x), self.height, stride, columns // stride, self.batch)
        for remainder in range(stride):
            own = x[:, :, (remainder - padding) % stride :: stride]
            before = (padding - remainder + stride - 1) // stride  # columns of zeros
            rows[:, :, remainder, before : before + own.shape[2]] = own
        return rows.flatten(2, 3)

    def forward(self, source: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
        """The output, of planes [G·O, rows, columns, B], and what else its gradient needs."""
        out = new_map(source, self.maps, self.rows, self.columns, self.batch)
        call(
            kernels().convolve(tile_of(self.outputs), self.kw, self.how.rectify, self.how.bits),
            *(out, self.packed(weight), source, weight, bias, self.taps),
            *(self.how.groups, self.outputs, self.inputs, self.height, self.row, self.rows),
            *(self.columns * self.batch, self.how.stride[0], self.how.padding[0], self.kh),
        )
        return (out, out) if self.how.rectify else (out,)

    def gradients(
        self,
        own_x: Tensor | None,
        own_weight: Tensor,
        own_bias: Tensor | None,
        slopes: Tensor,
        *kept: Tensor,
    ) -> None:
        """Fill the gradients of input, weight and bias, but for those that are None."""
        *rectified, source, weight = kept
        if rectified:
            slopes = torch.ops.aten.threshold_backward(slopes, planes_of(rectified[0]), 0)
        self.gradient_of_weights(own_weight, slopes, source)
        if own_bias is not None:
            torch.sum(slopes.flatten(1), 1, out=own_bias)
        if own_x is not None:
            self.gradient_of_input(own_x, slopes, weight)

    def gradient_of_weights(self, own_weight: Tensor, slopes: Tensor, source: Tensor) -> None:
        """Fill the gradient of the weights."""
        call(
            kernels().weight_gradient(weight_tile(self.outputs, self.kw), self.kw, self.how.bits),
            *(own_weight, slopes, source, self.taps, self.how.groups, self.outputs, self.inputs),
            *(self.height, self.row, self.rows, self.columns * self.batch, self.how.stride[0]),
            *(self.how.padding[0], self.kh),
        )

    def gradient_of_input(self, own_x: Tensor, slopes: Tensor, weight: Tensor) -> None:
        """Fill the gradient of the input."""
        (sh, sw), (ph, pw) = self.how.stride, self.how.padding
        if self.by_columns is not None:
            call(
                kernels().input_gradient(self.by_columns, self.kw, self.how.bits),
                *(own_x, slopes, weight, self.how.groups, self.outputs, self.inputs, self.height),
                *(self.rows, self.batch, ph, self.kh),
            )
            return
        if sh > self.kh or sw > self.kw:  # then no output looks at some of the pixels
            own_x.zero_()
        behind = max(0, (self.width - 1 + pw) // sw + 1 - self.columns)
        slopes, own_x = F.pad(slopes, (0, 0, self.kw - 1, behind)), planes_of(own_x)
        weight = weight.unflatten(0, (self.how.groups, -1)).transpose(1, 2).flip(3, 4)
        for part in product(range(min(sh, self.kh)), range(min(sw, self.kw))):
            self._gradient_of_part(part, own_x, slopes, weight)

    def _gradient_of_part(
        self, part: tuple[int, int], own_x: Tensor, slopes: Tensor, weight: Tensor
    ) -> None:
        """Fill the gradient of the pixels that meet rows i, i + stride, … of the kernel only.

        The same of columns. It is a convolution, of stride 1, of slopes between zeros, with weights
        [G, inputs, outputs, kh, kw] that were turned round.
        """
        (i, j), (sh, sw), (ph, pw) = part, self.how.stride, self.how.padding
        weight = weight[..., (self.kh - 1 - i) % sh :: sh, (self.kw - 1 - j) % sw :: sw]
        weight = weight.contiguous()
        kh, kw = weight.shape[3:]
        # The slope [u, v] that the part's first weight takes to the first such pixel [y, x].
        u, v = -((i - ph) // sh), -((j - pw) // sw)
        y, x = u * sh + i - ph, v * sw + j - pw
        target = own_x[:, y::sh, x::sw]
        rows, columns = target.shape[1:3]
        if not rows or not columns:
            return
        result = own_x if self.how.stride == (1, 1) else slopes.new_empty(target.shape)
        first = (self.kw - kw + v) * self.batch
        call(
            kernels().convolve(tile_of(self.inputs), kw, False, self.how.bits),
            *(result, self.packed(weight), slopes.flatten()[first:], weight),
            *(slopes.new_zeros(len(own_x)), taps_of(kw, 1, columns, self.batch)),
            *(self.how.groups, self.inputs, self.outputs, self.rows, slopes[0, 0].numel()),
            *(rows, columns * self.batch, 1, kh - 1 - u, kh),
        )
        if result is not own_x:
            target.copy_(result)

    def packed(self, weight: Tensor) -> Tensor:
        """A scratch for one group's weights."""
        return weight.new_empty(self.outputs * self.inputs * self.kh * self.kw)


def tile_of(channels: int) -> int:
    """How many output channels a convolution sums at once."""
    tile: int = kernels().tile_of(channels)
    return tile


def weight_tile(outputs: int, kw: int) -> int:
    """Of how many outputs the weights' gradient is summed at once."""
    tile: int = kernels().block_of(outputs, max(1, kernels().widest_kernel() // kw))
    return tile


@lru_cache(maxsize=64)
def taps_of(kw: int, stride: int, width: int, batch: int) -> Tensor:
    """The offset of each column of the kernel in a row of so many columns; see `rows_of`."""
    per_remainder = width // stride
    with torch.inference_mode(False):  # it is kept, and may be needed for gradients later
        return torch.tensor([(j % stride * per_remainder + j // stride) * batch for j in range(kw)])
