"""Several comparisons at once: Holm's procedure, for single tests and for families of tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics._arrays import Floats, as_array

__all__ = ["holm", "holm_families"]


def holm(pvalues: ArrayLike) -> Floats:
    """Holm's adjusted p-values [m]: p̃₍ⱼ₎ = max over i ≤ j of min(1, (m − i + 1) p₍ᵢ₎).

    Holm 1979, *A simple sequentially rejective multiple test procedure*, Scand. J. Statist. 6.
    Rejecting where p̃ ≤ alpha keeps the chance of any false rejection at alpha, whatever the
    dependence. A test that could not be made (NaN) stays NaN and is not counted in m.
    Raises `UsageError` for values outside [0, 1].
    """
    return holm_families(_checked(pvalues, ndim=1)[:, None])[:, 0]


def holm_families(pvalues: ArrayLike) -> Floats:
    """Holm across m families of tests that are each adjusted already: [m, K] to [m, K].

    Row a holds p-values that control the family-wise error within augmentation a (step-down maxT
    over sizes). With c the families rejected entirely, a test is rejected where
    (m − c) p ≤ alpha; the adjusted value is min over c of max(M̃₍c₎, (m − c) p), where M̃ is Holm's
    adjustment of each family's greatest p, and M̃₍₀₎ = 0.

    Only families rejected *entirely* are counted in c: a family with one true effect still holds
    true nulls at its other sizes. Holm on each family's least p, the usual short cut, spends more
    than alpha. With K = 1 the two agree and this is `holm`. The argument is Holm's: as long as
    nothing was rejected falsely, the families with a true null are all still counted in m − c,
    and each errs with probability at most alpha/(m − c).
    """
    table = _checked(pvalues, ndim=2)
    tested = ~np.isnan(table).all(axis=1) if table.size else np.zeros(len(table), dtype=bool)
    m = int(tested.sum())
    adjusted = np.full(table.shape, np.nan)
    if not m:
        return adjusted
    families = table[tested]
    greatest = np.sort(np.nanmax(families, axis=1))
    left = np.arange(m, 0, -1)  # m - c for c = 0 .. m - 1
    entire = np.append(0.0, np.maximum.accumulate(left * greatest)[:-1])  # M̃ for c = 0 .. m - 1
    candidates = np.maximum(entire[:, None, None], left[:, None, None] * families)  # [m, m, K]
    adjusted[tested] = np.minimum(1.0, candidates.min(axis=0))
    return adjusted


def _checked(pvalues: ArrayLike, *, ndim: int) -> Floats:
    table = as_array(pvalues, "p-values", ndim=ndim)
    if ((table < 0) | (table > 1)).any():
        raise UsageError("p-values: expected numbers in [0, 1]; a test not made is NaN")
    return table
