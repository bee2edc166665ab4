"""Dropout whose masks come from the cell's own stream, not from a global state.

Each layer has a stream of its own. A generator fills an array in order, so drawing the masks of
many steps at once gives the same masks as drawing them step by step: engines may differ in how
they draw, never in what.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["StreamDropout", "own_dropout"]

_BY_CHANNEL = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


class StreamDropout(nn.Module):
    """Zeroes values (or, `by_channel`, whole channels) with probability `p`, scaling by 1/(1−p).

    The input is [N, C, …]; the mask has its shape, or [N, C, 1, …] by channel.
    """

    def __init__(self, p: float, by_channel: bool, rng: np.random.Generator) -> None:
        super().__init__()
        self.p, self.by_channel, self.rng = p, by_channel, rng

    def forward(self, x: Tensor) -> Tensor:
        """Apply a fresh mask in train mode; the identity in eval mode."""
        if not self.training or self.p == 0:
            return x
        shape = x.shape[:2] + (1,) * (x.ndim - 2) if self.by_channel else x.shape
        return x * torch.from_numpy(draw_mask(self.rng, tuple(shape), self.p)).to(x.device)

    def extra_repr(self) -> str:
        """Show p as torch's own dropout does."""
        return f"p={self.p}, by_channel={self.by_channel}"


def draw_mask(rng: np.random.Generator, shape: tuple[int, ...], p: float) -> np.ndarray:
    """A float32 mask: 0 with probability p, else 1/(1−p)."""
    if p == 1:
        return np.zeros(shape, np.float32)
    keep = rng.random(shape, dtype=np.float32) >= p
    return keep.astype(np.float32) * np.float32(1 / (1 - p))


def own_dropout(module: nn.Module, rng_of_layer: Callable[[int], np.random.Generator]) -> nn.Module:
    """Replace every dropout module inside `module` by one on the stream of its number.

    Layers are numbered in the order of `module.modules()`. Returns the module, changed in place,
    or a `StreamDropout` where it is itself a dropout.
    """
    made: dict[nn.Module, StreamDropout] = {}
    for child in module.modules():
        if isinstance(child, (nn.Dropout, *_BY_CHANNEL)):
            new = StreamDropout(child.p, isinstance(child, _BY_CHANNEL), rng_of_layer(len(made)))
            made[child] = new.train(child.training)
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if child in made:
                setattr(parent, name, made[child])
    return made.get(module, module)
