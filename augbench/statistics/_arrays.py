"""Checks of arguments: shapes, sizes, missing cells, and the tolerance of a tie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augbench.errors import UsageError

__all__ = ["TIE", "Floats", "as_array", "as_confidence", "as_pair", "as_sizes", "split_missing"]

Floats = NDArray[np.float64]

TIE = 1e-12
"""Accuracies closer than this are equal: far below 1/N of any test set, far above round-off."""


def as_array(values: ArrayLike, name: str, *, ndim: int) -> Floats:
    """`values` as float64 with `ndim` axes; NaN is a missing cell, infinity a mistake."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"{name}: expected numbers in {ndim} axes; pass a NumPy array") from None
    if array.ndim != ndim:
        raise UsageError(
            f"{name}: expected {ndim} {'axis' if ndim == 1 else 'axes'}, got shape {array.shape}"
        )
    if np.isinf(array).any():
        raise UsageError(f"{name}: expected finite numbers, got infinity; a missing cell is NaN")
    return array


def as_pair(treated: ArrayLike, baseline: ArrayLike, *, ndim: int) -> tuple[Floats, Floats]:
    """Two arms of equal shape, with the same seeds along the first axis."""
    arms = as_array(treated, "treated", ndim=ndim), as_array(baseline, "baseline", ndim=ndim)
    if arms[0].shape != arms[1].shape:
        raise UsageError(
            f"expected two arms of one shape, got {arms[0].shape} and {arms[1].shape}; "
            "a seed without a partner is NaN"
        )
    return arms


def as_sizes(sizes: Sequence[int], count: int | None = None) -> Floats:
    """Samples per class as float64: whole, at least 1, strictly increasing, `count` of them."""
    array = as_array(sizes, "sizes", ndim=1)
    whole = (array >= 1).all() and (array == np.floor(array)).all()
    if not len(array) or not whole or not (np.diff(array) > 0).all():
        raise UsageError(
            "sizes: expected whole, strictly increasing samples per class from 1, got "
            f"{list(sizes)}"
        )
    if count is not None and len(array) != count:
        raise UsageError(f"sizes: expected one for each of {count} columns, got {len(array)}")
    return array


def as_confidence(confidence: float) -> float:
    """A confidence level strictly between 0 and 1."""
    if not 0 < confidence < 1:
        raise UsageError(f"confidence: expected a share between 0 and 1, got {confidence}")
    return float(confidence)


def split_missing(rows: Floats) -> tuple[Floats, tuple[int, ...]]:
    """The rows without a missing cell, and the indices of the others."""
    missing = np.isnan(rows) if rows.ndim == 1 else np.isnan(rows).any(axis=1)
    return rows[~missing], tuple(int(i) for i in np.flatnonzero(missing))
