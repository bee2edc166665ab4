"""Folds of a pretraining subset, for validating the pretraining head without further images.

The subset's order is every class's first image, then every class's second: a *round* is one image
of each class. A fold is a set of rounds, so that every fold is balanced.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from augbench.errors import UsageError

__all__ = ["MOST_FOLDS", "fold_rounds", "folds_of"]

MOST_FOLDS = 4
"""Folds of a subset that is large enough: each costs a training, and with 4 a network sees three
quarters of the images that it is tuned for."""


def folds_of(s: int) -> int:
    """The number of folds of `s` samples per class: s from 2 to 4, then 4; 0 where s is 1.

    With one image of each class nothing can be held out and still be learnt.
    """
    if s < 1:
        raise UsageError(f"expected 1 sample per class or more, got {s}")
    return min(s, MOST_FOLDS) if s > 1 else 0


def fold_rounds(s: int, folds: int, k: int) -> NDArray[np.int64]:
    """The rounds r ≡ k (mod `folds`) of 0 … s − 1 that fold `k` holds out: int64, ascending.

    The folds k = 0 … `folds` − 1 hold every round once, and differ by one round at most. Raises
    `UsageError` unless 2 ≤ folds ≤ s and 0 ≤ k < folds.
    """
    if not 2 <= folds <= s or not 0 <= k < folds:
        raise UsageError(
            f"expected 2 to {s} folds of {s} samples per class, and k from 0 to folds − 1, got "
            f"{folds} folds and k = {k}"
        )
    return np.arange(k, s, folds, dtype=np.int64)
