"""The measurements that a run wants of a cell, beyond those that every result has."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Wanted"]


@dataclass(frozen=True)
class Wanted:
    """Measurements without which a stored result counts as missing.

    They change no other number of a cell, so they are no part of its key: a result that lacks one
    is computed again, and replaced by the one that has it. With `test_every` > 0, both trainings
    are measured on the test set every that many steps; `predictions` are the predicted classes of
    all test images; `shift` are the names of accuracies on corrupted test images, see
    `augbench.protocol.shift.shift_metric`.
    """

    test_every: int = 0
    predictions: bool = False
    shift: tuple[str, ...] = ()
