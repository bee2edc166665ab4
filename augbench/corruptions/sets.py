"""Corrupted copies of a data set's test images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from augbench.corruptions.contract import checked_images

if TYPE_CHECKING:
    from augbench.corruptions.contract import Corruption

__all__ = ["CHUNK", "corrupted"]

CHUNK = 256
"""Images of one call. It decides the order of the draws, and is part of the protocol: never change
it."""


def corrupted(
    images: NDArray[np.uint8], corruption: Corruption, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return a corrupted copy of images uint8 [N, C, H, W].

    The images are corrupted on the CPU, in chunks of `CHUNK`, so that they are the same wherever a
    network is tested on them; `rng` is the one of `augbench.protocol.streams.corruption_stream`.
    At most one chunk is in memory beside the copy, and `images` may be mapped from a file. Raises
    `ContractError` if the corruption returns anything but uint8 images of the same shape.
    """
    import torch

    copy = np.empty(images.shape, dtype=np.uint8)
    for first in range(0, len(images), CHUNK):
        # A copy of its own for each call: whatever a plugin does, the images stay as they are.
        chunk = torch.from_numpy(np.array(images[first : first + CHUNK], dtype=np.uint8))
        returned = corruption(chunk, rng=rng)
        copy[first : first + CHUNK] = checked_images(returned, chunk, corruption).numpy()
    return copy
