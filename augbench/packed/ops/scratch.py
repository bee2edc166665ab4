"""Memory that kernels work in, and that nobody reads afterwards: a thread's calls share it.

So it stays in the cache, whichever layer comes next, where a block of its own for each call of a
step would have to be fetched again at each step.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable

import torch
from torch import Tensor

__all__ = ["scratch", "zeros"]

_ALIGNED = 64  # numbers


class _Own(threading.local):
    def __init__(self) -> None:
        self.blocks: dict[torch.dtype, Tensor] = {}
        self.zeros: dict[Hashable, Tensor] = {}


_own = _Own()


def scratch(like: Tensor, *sizes: int) -> list[Tensor]:
    """Memory for so many numbers each, for one call of a kernel."""
    room = [-(-size // _ALIGNED) * _ALIGNED for size in sizes]
    block = _own.blocks.get(like.dtype)
    if block is None or len(block) < sum(room):
        block = _own.blocks[like.dtype] = like.new_empty(sum(room))
    parts = block[: sum(room)].split(room)
    return [part[:size] for part, size in zip(parts, sizes, strict=True)]


def zeros(like: Tensor, size: int, user: Hashable = None) -> Tensor:
    """So many zeros. Who writes into some of them, always into the same, says who it is."""
    key = (like.dtype, size, user)
    if key not in _own.zeros:
        _own.zeros[key] = like.new_zeros(size)
    return _own.zeros[key]
