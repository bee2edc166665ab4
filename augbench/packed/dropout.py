"""Dropout whose masks come from the cell's own stream, not from a global state.

Each layer has a stream of its own. A generator fills an array in order, so drawing the masks of
many steps at once gives the same masks as drawing them step by step: engines may differ in how
they draw, never in what.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["StreamDropPath", "StreamDropout", "draw_mask", "own_dropout"]

_BY_CHANNEL = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_DROP_PATH = {
    ("torchvision.ops.stochastic_depth", "StochasticDepth"),
    ("timm.layers.drop", "DropPath"),
    ("timm.models.layers.drop", "DropPath"),
}
"""The layers known to drop whole images' branches, by module and name: importing is not needed."""


class StreamDropout(nn.Module):
    """Zeroes values (or, `by_channel`, whole channels) with probability `p`, scaling by 1/(1−p).

    The input is [N, C, …]; the mask has its shape, or [N, C, 1, …] by channel.
    """

    def __init__(self, p: float, by_channel: bool, rng: np.random.Generator) -> None:
        super().__init__()
        self.p, self.by_channel, self.rng = p, by_channel, rng
        self.inplace = False  # as torch's own, for who asks

    def forward(self, x: Tensor) -> Tensor:
        """Apply a fresh mask in train mode; the identity in eval mode."""
        if not self.training or self.p == 0:
            return x
        mask = self.masks(self.rng, (), tuple(x.shape))
        return x * torch.from_numpy(mask).to(x.device)

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mask of an input [N, C, …]."""
        return shape[:2] + (1,) * (len(shape) - 2) if self.by_channel else shape

    def masks(
        self, rng: np.random.Generator, many: tuple[int, ...], shape: tuple[int, ...]
    ) -> np.ndarray:
        """Draw as `many` float32 masks, [*many, *mask_shape], for inputs of a shape."""
        return draw_mask(rng, (*many, *self.mask_shape(shape)), self.p)

    def extra_repr(self) -> str:
        """Show p as torch's own dropout does."""
        return f"p={self.p}, by_channel={self.by_channel}"


class StreamDropPath(StreamDropout):
    """Stochastic depth: zeroes whole rows of the batch with probability `p`, or the whole batch.

    What stays is scaled by 1/(1−p), unless `scale` is False. The input is [N, …], the mask
    [N, 1, …], or [1, 1, …] for the `whole_batch`. Huang et al., Deep Networks with Stochastic
    Depth, ECCV 2016.
    """

    def __init__(
        self, p: float, rng: np.random.Generator, *, whole_batch: bool = False, scale: bool = True
    ) -> None:
        super().__init__(p, False, rng)
        self.whole_batch, self.scale = whole_batch, scale
        # The names that timm and torchvision use, for who asks.
        self.drop_prob, self.scale_by_keep = p, scale
        self.mode = "batch" if whole_batch else "row"

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mask of an input [N, …]."""
        return (1 if self.whole_batch else shape[0],) + (1,) * (len(shape) - 1)

    def masks(
        self, rng: np.random.Generator, many: tuple[int, ...], shape: tuple[int, ...]
    ) -> np.ndarray:
        """Draw as `many` float32 masks; see `StreamDropout.masks`."""
        masks = super().masks(rng, many, shape)
        return masks if self.scale else np.sign(masks)  # 1/(1−p) becomes 1

    def extra_repr(self) -> str:
        """Show what is dropped."""
        return f"p={self.p}, mode={self.mode}, scale={self.scale}"


def draw_mask(rng: np.random.Generator, shape: tuple[int, ...], p: float) -> np.ndarray:
    """A float32 mask: 0 with probability p, else 1/(1−p)."""
    if p == 1:
        return np.zeros(shape, np.float32)
    # One draw for each number, in the order of memory: K masks drawn at once are K drawn in turn.
    keep = rng.random(shape, dtype=np.float32) >= p
    return keep.astype(np.float32) * np.float32(1 / (1 - p))


def own_dropout(module: nn.Module, rng_of_layer: Callable[[int], np.random.Generator]) -> nn.Module:
    """Replace every dropout module inside `module` by one on the stream of its number.

    Stochastic depth counts as dropout, if it is timm's `DropPath` or torchvision's
    `StochasticDepth`. Layers are numbered in the order of `module.modules()`. Returns the module,
    changed in place, or a `StreamDropout` where it is itself a dropout.
    """
    made: dict[nn.Module, StreamDropout] = {}
    for child in module.modules():
        rng = partial(rng_of_layer, len(made))  # drawn only for what needs it
        if isinstance(child, (nn.Dropout, *_BY_CHANNEL)):
            made[child] = StreamDropout(child.p, isinstance(child, _BY_CHANNEL), rng())
        elif (type(child).__module__, type(child).__name__) in _DROP_PATH:
            made[child] = _drop_path(child, rng())
        if child in made:
            made[child].train(child.training)
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if child in made:
                setattr(parent, name, made[child])
    return made.get(module, module)


def _drop_path(layer: Any, rng: np.random.Generator) -> StreamDropPath:
    """The stream's own for timm's `DropPath` or torchvision's `StochasticDepth`."""
    if hasattr(layer, "drop_prob"):
        scale = getattr(layer, "scale_by_keep", True)
        return StreamDropPath(float(layer.drop_prob or 0), rng, scale=scale)
    return StreamDropPath(layer.p, rng, whole_batch=layer.mode == "batch")
