"""Classes of many images in few bytes: true labels of a test set, or predicted ones."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["decode", "encode"]


def encode(labels: ArrayLike, classes: int) -> bytes:
    """Write labels [N] in 0 … classes − 1: the smallest unsigned type, little-endian, by zlib.

    Raises `ValueError` for other labels.
    """
    array = np.asarray(labels)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise ValueError(f"labels: expected whole numbers [N], got {array.dtype} {array.shape}")
    if array.size and not 0 <= int(array.min()) <= int(array.max()) < classes:
        raise ValueError(f"labels: expected 0 … {classes - 1}, got {array.min()} … {array.max()}")
    return zlib.compress(array.astype(_kind(classes)).tobytes())


def decode(data: bytes, count: int, classes: int) -> NDArray[np.int64]:
    """Read `count` labels [N] in 0 … classes − 1 that `encode` has written.

    Raises `ValueError` for anything else.
    """
    kind = _kind(classes)
    wanted = count * kind.itemsize
    try:
        reader = zlib.decompressobj()
        plain = reader.decompress(data, wanted + 1)  # damaged bytes may promise gigabytes
    except zlib.error as error:
        raise ValueError(f"labels cannot be read: {error}") from error
    if len(plain) != wanted or not reader.eof:
        raise ValueError(f"labels: expected those of {count} images, got {len(plain)} bytes")
    labels = np.frombuffer(plain, kind).astype(np.int64)
    if labels.size and labels.max() >= classes:
        raise ValueError(f"labels: expected 0 … {classes - 1}, got {labels.max()}")
    return labels


def _kind(classes: int) -> np.dtype[np.unsignedinteger]:
    """The smallest unsigned type that holds every class, the same on every machine."""
    return np.dtype("u1" if classes <= 2**8 else "<u2" if classes <= 2**16 else "<u4")
