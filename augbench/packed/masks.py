"""Dropout masks of many cells, drawn ahead."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from augbench.packed.dropout import StreamDropout
from augbench.packed.tape import refresh_each_replay

__all__ = ["Masks"]

_MASK_STEPS = 256  # steps whose dropout masks are drawn at once,
_MASK_VALUES = 2**20  # fewer where they would hold more values than this (4 MiB)


class Masks:
    """The dropout masks of K cells, each from its own stream, many steps at a draw.

    Cells whose streams are at the same point (same seed, same data set) share their masks.
    """

    def __init__(self, layers: Sequence[StreamDropout]) -> None:
        self.p, self.by_channel = layers[0].p, layers[0].by_channel
        self._masks, self._mask_shape = layers[0].masks, layers[0].mask_shape
        states = [repr(layer.rng.bit_generator.state) for layer in layers]
        distinct = list(dict.fromkeys(states))
        self._rngs = [copy.deepcopy(layers[states.index(state)].rng) for state in distinct]
        self._stream_of = torch.tensor([distinct.index(state) for state in states])  # [K]
        self._ready: list[Tensor] = []

    def take(
        self, x: Tensor, shape: tuple[int, ...], arrange: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """The next step's mask for one cell's values of `shape`, as `arrange` lays it out.

        `arrange` is given the masks of S steps, [K, S, *shape], and returns them as [S, …], the way
        they are to lie in memory.
        """
        like = x.new_empty(0)  # not x itself, which would keep the step's graph alive
        return refresh_each_replay(lambda: self._next(like, shape, arrange))

    def _next(
        self, like: Tensor, shape: tuple[int, ...], arrange: Callable[[Tensor], Tensor]
    ) -> Tensor:
        if not self._ready:
            values = math.prod(self._mask_shape(shape)) * len(self._stream_of)
            steps = max(1, min(_MASK_STEPS, _MASK_VALUES // values))
            drawn = torch.from_numpy(
                np.stack([self._masks(rng, (steps,), shape) for rng in self._rngs])
            )
            self._stream_of = self._stream_of.to(like.device)
            if like.is_cuda:
                drawn = drawn.pin_memory()  # else the copy would wait for all that is under way
            drawn = drawn.to(like.device, like.dtype, non_blocking=True)
            masks = drawn.index_select(0, self._stream_of)
            self._ready = list(arrange(masks).unbind())[::-1]
        return self._ready.pop()
