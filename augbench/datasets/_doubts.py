"""Doubts about a data set that can be read all the same, in one line each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["warnings_about"]

_NEAR = 16
"""Levels of 255 from black or white; 12 bits that were read as 16 never leave them."""
_MOST = 0.1
"""The share of near-black or near-white images that goes without saying."""


def warnings_about(
    name: str, train_images: NDArray[np.uint8], test_images: NDArray[np.uint8]
) -> tuple[str, ...]:
    """The warnings about a data set of images uint8 [N, C, H, W]."""
    return (
        *_leaking(name, train_images, test_images),
        *_without_contrast(name, (train_images, test_images)),
    )


def _leaking(
    name: str, train_images: NDArray[np.uint8], test_images: NDArray[np.uint8]
) -> list[str]:
    seen = {image.tobytes() for image in train_images}
    shared = sum(image.tobytes() in seen for image in test_images)
    if not shared:
        return []
    return [
        f"data set {name!r}: {shared:,} of {len(test_images):,} test images are training images "
        "too, pixel by pixel: accuracies come out too high; take them out of one part"
    ]


def _without_contrast(name: str, parts: tuple[NDArray[np.uint8], ...]) -> list[str]:
    counts = {"black": 0, "white": 0}
    total = sum(map(len, parts))
    for images in parts:
        if not images.size:
            continue
        pixels = images.reshape(len(images), -1)
        counts["black"] += int((pixels.max(axis=1) <= _NEAR).sum())
        counts["white"] += int((pixels.min(axis=1) >= 255 - _NEAR).sum())
    return [
        f"data set {name!r}: {count:,} of {total:,} images are near-{colour} all over "
        f"(within {_NEAR} levels of 255): look at their files, whose values may be on another scale"
        for colour, count in counts.items()
        if count > _MOST * total
    ]
