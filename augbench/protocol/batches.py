"""Batches and partners: the images of each step, drawn for a whole training at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from augbench.errors import StudyError

__all__ = [
    "block_steps",
    "draw_batches",
    "draw_partners",
    "effective_batch_size",
    "partner_rows",
    "whole_blocks",
]

_BLOCK_VALUES = 2**21
_BLOCK_STEPS = 32


def block_steps(batch_size: int, image_shape: tuple[int, int, int]) -> int:
    """The number of steps that one call of an augmentation serves.

    It decides the order of an augmentation's draws, so it is a constant of the protocol: 32
    steps, fewer where 32 would hold more than 2²¹ pixel values (8 MiB of float32).
    """
    return max(1, min(_BLOCK_STEPS, _BLOCK_VALUES // (batch_size * int(np.prod(image_shape)))))


def whole_blocks(steps: int, block: int) -> int:
    """The steps that are drawn for a training: whole blocks, of which the last one is cut.

    A block that was cut before its augmentations are called could draw otherwise, and a training
    would not begin as a longer one does.
    """
    return -(-steps // block) * block


def effective_batch_size(batch_size: int, images: int) -> int:
    """The images of a step: a training set smaller than the batch is used whole, at each step."""
    return min(batch_size, images)


def draw_batches(
    images: int, batch_size: int, steps: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the images of each step without replacement: int64 [steps, min(batch_size, images)].

    Each epoch is a new permutation, of which a last incomplete batch is dropped.
    """
    size = effective_batch_size(batch_size, images)
    if images == 0 or steps == 0:
        return np.empty((0, size), np.int64)
    per_epoch = images // size
    epochs = -(-steps // per_epoch)
    orders = np.broadcast_to(np.arange(images), (epochs, images))
    orders = rng.permuted(orders, axis=1)[:, : per_epoch * size]
    return orders.reshape(-1, size)[:steps].astype(np.int64)


def draw_partners(
    sources: int, steps: int, batch_size: int, rngs: Sequence[np.random.Generator]
) -> NDArray[np.int64]:
    """Draw each position's partners: positions in the same batch, int64 [sources−1, steps, B].

    No position is its own partner, and the partners of a position differ from each other. Each
    further partner has a stream of its own, so that the first one is the same for every
    augmentation. Raises `StudyError` if the batch holds fewer images than `sources`.
    """
    if steps == 0:
        return np.empty((sources - 1, 0, batch_size), np.int64)
    if batch_size < sources:
        raise StudyError(
            f"an augmentation of {sources} images needs a batch of at least {sources}, "
            f"got {batch_size}"
        )
    offsets: list[NDArray[np.int64]] = []
    for k in range(sources - 1):
        offset = 1 + rngs[k].integers(0, batch_size - 1 - k, size=(steps, batch_size))
        # The k-th draw counts among the offsets that are still free: step over the taken ones.
        for taken in np.sort(np.stack(offsets), axis=0) if offsets else ():
            offset += offset >= taken
        offsets.append(offset)
    positions = np.arange(batch_size)
    if not offsets:
        return np.empty((0, steps, batch_size), np.int64)
    return (positions + np.stack(offsets)) % batch_size


def partner_rows(partners: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of a block at which partners stand, [K − 1, S·B], of their positions [K − 1, S, B].

    A block holds S batches of B images, one after the other.
    """
    further, steps, batch = partners.shape
    rows: NDArray[np.int64] = partners + batch * np.arange(steps)[:, None]
    return rows.reshape(further, steps * batch)
