"""What test images can show: the differences that may be the luck of which images they are."""

from __future__ import annotations

import math
from collections.abc import Iterable

from augbench.datasets.contract import DatasetInfo
from augbench.options import Options, named
from augbench.statistics import least_difference

__all__ = ["about_classes", "about_test_images"]

_USUAL = 0.05
"""The largest difference that augmentations of photographs usually make (docs/photos.md)."""
_FEW = 4
"""Training images of a class below which a curve has two sizes at most."""


def about_test_images(infos: Iterable[DatasetInfo], seeds: int) -> tuple[list[str], list[str]]:
    """Lines on what the test images of each data set show: notes, and warnings where it is little.

    A warning says what would be enough.
    """
    notes, warnings = [], []
    for info in {one.content_hash: one for one in infos}.values():
        least = least_difference(info.test_size, seeds)
        told = f"{info.name}: {info.test_size:,} test images, so that differences under about "
        told += f"{100 * least:.0f} points may be luck"
        if least <= _USUAL:
            notes.append(told)
        else:
            warnings.append(f"{told}, and photographs seldom give more than 5: {_remedy(info)}")
    return notes, warnings


def about_classes(infos: Iterable[DatasetInfo]) -> list[str]:
    """A warning for each data set of which one class is so small that hardly a size is left."""
    warnings = []
    for info in {one.content_hash: one for one in infos}.values():
        few, next_one = sorted(info.train_counts)[:2]
        if few >= _FEW:
            continue
        remedy = "add images"
        if next_one >= _FEW and len(info.classes) > 2:
            remedy += f", or take the class away: the others have {next_one} or more"
        name = info.classes[info.train_counts.index(few)]
        warnings.append(
            f"{info.name}: no size is above {few}, the training images of class {name!r}; {remedy}"
        )
    return warnings


def _remedy(info: DatasetInfo) -> str:
    """What would show the differences that augmentations make."""
    needed = _rounded(least_difference(1, Options.seeds) ** 2 / _USUAL**2)
    if info.test_size >= needed:  # so many images do, with more seeds
        return f"{named('seeds', Options.seeds)} would do"
    share = info.test_size / (info.test_size + sum(info.train_counts))
    a_class = _rounded(needed / share / len(info.classes))
    return (
        f"these images can tell no best one, unless it is far better; {needed} test images would, "
        f"as of {a_class} images in each of {len(info.classes)} classes"
    )


def _rounded(count: float) -> int:
    """A round number that is not below; the formula is no better than that."""
    step = 10 if count > 20 else 5
    return math.ceil(count / step) * step
