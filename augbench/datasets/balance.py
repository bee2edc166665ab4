"""The balance of a test set: how many of its images each class has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from augbench.options import named

__all__ = ["ClassBalance"]

_UNEQUAL = 1.5
"""A test set whose largest class has more than this times the images of its smallest is unequal.

MNIST's classes differ by a factor of 1.27, which moves accuracy by a tenth of a point from the mean
over classes; SVHN's differ by 3.2.
"""


@dataclass(frozen=True)
class ClassBalance:
    """The classes of a test set: their names, and the number of test images of each [classes]."""

    names: tuple[str, ...]
    images: tuple[int, ...]

    def __repr__(self) -> str:
        counts = f"{min(self.images):,} to {max(self.images):,}"
        return f"<ClassBalance: {len(self.names)} classes of {counts} test images>"

    @classmethod
    def of(cls, labels: ArrayLike, names: Sequence[str]) -> Self:
        """The balance of labels [N] in 0 … len(names) − 1."""
        counts = np.bincount(np.asarray(labels), minlength=len(names))
        return cls(tuple(names), tuple(int(count) for count in counts))

    @property
    def majority(self) -> float:
        """The share of the largest class: the accuracy of answering it always."""
        return max(self.images) / sum(self.images)

    @property
    def unequal(self) -> bool:
        """True where classes differ so much that accuracy is no mean over classes."""
        return max(self.images) > _UNEQUAL * min(self.images)

    def warning(self, dataset: str) -> str:
        """A line on what accuracy means for an unequal test set; empty for an equal one."""
        if not self.unequal:
            return ""
        (small, least), (large, most) = (
            (self.names[self.images.index(count)], count)
            for count in (min(self.images), max(self.images))
        )
        return (
            f"data set {dataset!r}: its classes have from {least:,} ({small!r}) to {most:,} "
            f"({large!r}) test images, and accuracy weighs each by its images: answering {large!r} "
            f"always is right for {100 * self.majority:.1f} %, guessing for "
            f"{100 / len(self.names):.1f} %; {named('metric', 'balanced_accuracy')} weighs all "
            "classes alike"
        )
