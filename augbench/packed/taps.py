"""Taps: places behind a packed network's layers at which each cell's value can be changed.

    layer ─ [B, K·C, H, W] ─┬─ cell 0: [B, C, H, W] ─ as it is ──┬─ [B, K·C, H, W] ─ next layer
                            ├─ cell 1: [B, C, H, W] ─ changed ───┤
                            └─ cell 2: …                       ──┘

What a forward hook is to a module, a tap is to K of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from augbench.packed import ops
from augbench.packed.values import PerCell, cell_first, is_map, packed

__all__ = ["Changes", "Tap", "tapped"]

Changes = dict[int, Callable[[Tensor], Tensor]]
"""For some cells, by their numbers, a function of the cell's value [B, …].

The value has the shape that the cell's own layer gives it, and so has the one that is returned.
Gradients pass through it.
"""


class Tap(nn.Module):
    """Passes on the values of K cells, those of cells in `changes` changed."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.cells = cells
        self.changes: Changes = {}

    def forward(self, x: Tensor | PerCell) -> Tensor | PerCell:
        """The values of all cells, in the form in which they came."""
        if not self.changes:
            return x
        if not (is_map(x) and ops.prefers_batch_last(x)):
            values = cell_first(self.cells, x).unbind()
            return packed(torch.stack([self._passed(k, value) for k, value in enumerate(values)]))
        # Cut and joined as the map lies in memory, here and in the backward pass, so that cells
        # that stay as they are cost one copy of a run of memory.
        cut = ops.batch_last(x).unflatten(0, (self.cells, -1)).unbind()  # K × [C, H, W, B]
        planes = [
            self._passed(k, value.permute(3, 0, 1, 2)).permute(1, 2, 3, 0)
            if k in self.changes
            else value
            for k, value in enumerate(cut)
        ]
        return ops.map_of(torch.stack(planes).flatten(0, 1))

    def _passed(self, k: int, value: Tensor) -> Tensor:
        # Contiguous, as a layer's own output is: rows are then picked as whole runs of memory.
        return self.changes[k](value.contiguous()) if k in self.changes else value


def tapped(value: Any, layer: str) -> Any:
    """Stands in a trace for the tap behind a layer, which takes its place when cells are packed."""
    return value
