"""Holm's correction for several tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics._arrays import Floats, as_array

__all__ = ["holm"]


def holm(pvalues: ArrayLike) -> Floats:
    """Holm's adjusted p-values [m]: p̃₍ⱼ₎ = max over i ≤ j of min(1, (m − i + 1) p₍ᵢ₎).

    Holm 1979, *A simple sequentially rejective multiple test procedure*, Scand. J. Statist. 6.
    Rejecting where p̃ ≤ alpha keeps the chance of any false rejection at alpha, whatever the
    dependence. A test that could not be made (NaN) stays NaN and is not counted in m.
    Raises `UsageError` for values outside [0, 1].
    """
    p = as_array(pvalues, "p-values", ndim=1)
    if ((p < 0) | (p > 1)).any():
        raise UsageError("p-values: expected numbers in [0, 1]; a test not made is NaN")
    made = np.flatnonzero(~np.isnan(p))
    order = made[np.argsort(p[made], kind="stable")]
    adjusted = np.full(len(p), np.nan)
    factors = np.arange(len(order), 0, -1)  # m, m − 1, …, 1
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p[order]))
    return adjusted
