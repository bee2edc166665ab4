"""Convolutions of batch-last maps with the pooling that follows them."""

from __future__ import annotations

import torch
from torch import Tensor

from augbench.packed.ops.layout import batch_last, call, kernels, new_map
from augbench.packed.ops.plans import Plan, taps_of, tile_of, weight_tile

__all__ = ["PooledPlan"]


class PooledPlan(Plan):
    """A convolution of stride 1 with the maximum over windows that follows it."""

    def forward(
        self, source: Tensor, weight: Tensor, bias: Tensor, shortcut: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """The batch-last output [G·O, rows // ph, columns // pw, B], and where its maxima were."""
        assert shortcut is None
        pool, rectify = self.spec.pool, self.spec.rectify
        assert pool is not None
        shape = self.maps, self.rows // pool[0], self.columns // pool[1], self.batch
        out, place = new_map(source, *shape), source.new_empty(shape, dtype=torch.uint8)
        # One group's output before it is pooled: written and read again while the cache holds it.
        scratch = source.new_empty(self.outputs, self.rows, self.columns, self.batch)
        call(
            kernels().convolve_and_pool(
                tile_of(self.outputs), self.kw, pool, rectify, self.spec.bits
            ),
            out=batch_last(out),
            place=place,
            scratch=scratch,
            packed=self.packed(weight),
            source=source,
            weights=weight,
            bias=bias,
            taps=self.taps,
            **self.sizes,
            row=self.row,
            columns=self.columns,
            batch=self.batch,
        )
        return out, place

    def gradients(
        self,
        own_x: Tensor | None,
        own_weight: Tensor,
        own_bias: Tensor | None,
        slopes: Tensor,
        *kept: Tensor,
        added: Tensor | None = None,
    ) -> None:
        """Fill the gradients of input, weight and bias, but for those that are None."""
        assert added is None
        place, source, weight = kept
        # The kernel sums the bias's gradient on its way, wanted or not: it needs a place for it.
        own_bias = weight.new_empty(self.maps) if own_bias is None else own_bias
        turned, left, columns = None, 0, self.columns
        if own_x is not None:
            turned = self.by_columns
            if turned is None:
                # A convolution of the slopes by the turned kernel, as wide as the image: so each
                # row of slopes lies between zeros, which the scratch holds from the start.
                turned, columns = tile_of(self.inputs), self.width + self.kw - 1
                left = self.kw - 1 - self.spec.padding[1]
        tile = weight_tile(self.outputs, self.kw)
        call(
            kernels().gradients_through_pool(tile, self.kw, self.spec.pool, turned, self.spec.bits),
            own_weights=own_weight,
            own_bias=own_bias,
            # Without `turned` the kernel leaves it alone, but wants an address.
            own_source=source if own_x is None else batch_last(own_x),
            slopes=slopes,
            place=place,
            scratch=slopes.new_zeros(self.outputs, self.rows, columns, self.batch),
            packed=self.packed(weight),
            source=source,
            weights=weight,
            taps=self.taps,
            zeros=weight.new_zeros(self.inputs),
            back=taps_of(self.kw, 1, columns, self.batch),
            **self.sizes,
            width=self.width,
            row=self.row,
            columns=self.columns,
            batch=self.batch,
            slope_row=columns * self.batch,
            left=left * self.batch,
        )
