"""Floor and ceiling: the cells that bound the range of a learning curve.

Both are cells of the baseline. `samples_per_class` tells them apart from the sweep: it is 0 where
there is nothing to pretrain on, and None where all of D_P is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "CEILING",
    "FLOOR",
    "REFERENCES",
    "Reference",
    "reference",
    "size_name",
    "size_title",
    "with_references",
]


@dataclass(frozen=True)
class Reference:
    """A cell of the baseline beside the sweep: its name, what it has to pretrain on, and words."""

    name: str
    samples_per_class: int | None
    words: str


FLOOR = Reference("floor", 0, "no pretraining")
CEILING = Reference("ceiling", None, "all images, no augmentation")
REFERENCES = (FLOOR, CEILING)


def reference(samples_per_class: int | None) -> Reference | None:
    """The reference that a cell of this size is; None for a cell of the sweep or the ruler."""
    return next((one for one in REFERENCES if one.samples_per_class == samples_per_class), None)


def with_references(sizes: Sequence[int]) -> tuple[int | None, ...]:
    """The sizes with the floor below them and the ceiling above."""
    return (FLOOR.samples_per_class, *sizes, CEILING.samples_per_class)


def size_title(samples_per_class: int | None) -> str:
    """A size as the head of a column: `4`, `floor` or `ceiling`."""
    found = reference(samples_per_class)
    return found.name if found else str(samples_per_class)


def size_name(samples_per_class: int | None) -> str:
    """A size within a line of text: `s=4`, `floor` or `ceiling`."""
    found = reference(samples_per_class)
    return found.name if found else f"s={samples_per_class}"
