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
        values = cell_first(self.cells, x).unbind()
        # Contiguous, as a layer's own output is: rows are then picked as whole runs of memory.
        own = [
            self.changes[k](value.contiguous()) if k in self.changes else value
            for k, value in enumerate(values)
        ]
        if is_map(x) and ops.prefers_batch_last(x):
            planes = torch.stack([value.permute(1, 2, 3, 0) for value in own])  # [K, C, H, W, B]
            return ops.map_of(planes.flatten(0, 1))
        return packed(torch.stack(own))


def tapped(value: Any, layer: str) -> Any:
    """Stands in a trace for the tap behind a layer, which takes its place when cells are packed."""
    return value
