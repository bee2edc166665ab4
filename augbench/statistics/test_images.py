"""What a number of test images can show, whichever images they are."""

from __future__ import annotations

import math

__all__ = ["images_needed", "least_difference"]


def least_difference(images: int, seeds: int) -> float:
    """The least true difference of two arms' accuracies that so many test images show.

    As a share; found with probability 0.8 at the level 0.05, whichever images are drawn: 2.8
    standard errors. The variance over images of the difference of two arms, each the mean of
    `seeds` seeds, is 0.01 + 0.16 / seeds, measured on photographs (docs/photos.md).
    """
    return 2.8 * math.sqrt((0.01 + 0.16 / seeds) / images)


def images_needed(difference: float, seeds: int) -> int:
    """The least number of test images with which `least_difference` is `difference` or less.

    `difference` is a share above 0.
    """
    return math.ceil((least_difference(1, seeds) / difference) ** 2 * (1 - 1e-12))
