"""Numbers compared with the truth: as near as rounding allows, or not."""

from __future__ import annotations

import torch
from torch import Tensor

from augbench.packed.frozen import ROUNDING_OF_FEATURES

__all__ = ["Nearness", "largest"]

_AS_FAR = 32
"""The most times as far from the truth as the plain modules that a packing may be."""

_ROUNDING = {torch.float32: 1e-5, torch.float64: 1e-9}
"""Rounding that is allowed, of the largest value, where the plain modules happen to have none."""

_CANCELLING = {torch.float32: 1e-3, torch.float64: 1e-10}
"""Rounding that may be left, of the largest gradient, in one that is zero: of a bias before a
normalisation, say, whose terms cancel."""

_AT_MOST = {torch.float32: 3e-2, torch.float64: 1e-7}
"""The largest difference that is allowed, of the largest value, however far plain modules are.

Where these are farther from the truth than that, they draw numbers of their own.
"""

_FLIPPED = 5e-2
"""The norm that a few numbers far off may have, in float32, as a share of the truth's norm."""


class Nearness:
    """Compares what a packing computes in one type of number; remembers how well it could see.

    `truth_known` tells whether the truth is in float64 beside plain modules in this type; where it
    is not, the plain modules are the truth. `sharp` stays True for as long as no difference was
    seen that could hide an error of a ten-thousandth of the largest value.
    """

    def __init__(self, dtype: torch.dtype, *, truth_known: bool) -> None:
        self.dtype, self.truth_known, self.sharp = dtype, truth_known, True

    def near(
        self, got: Tensor, plain: Tensor, truth: Tensor, *, beside: Tensor | None = None
    ) -> bool:
        """True if values [K, …] are as near the truth as rounding allows, each cell's by itself.

        `beside` [K] are the largest of the values that these come with: a gradient that is zero
        but for rounding is measured against them. A number that is not finite is never near, nor
        is any beside plain modules that have none.
        """
        if got.shape != truth.shape:
            return False
        size, apart = largest(truth), largest(got.to(truth.dtype) - truth)
        if not bool((apart.isfinite() & size.isfinite() & ~largest(plain).isnan()).all()):
            return False
        allowed = _ROUNDING[self.dtype] * size
        if beside is not None:
            allowed = torch.maximum(allowed, _CANCELLING[self.dtype] * beside.to(allowed.dtype))
        if self.dtype is not torch.float64:
            self.sharp &= bool((apart <= ROUNDING_OF_FEATURES[torch.float32] * size).all())
        tiny = torch.finfo(self.dtype).tiny
        near = apart <= allowed + tiny
        if bool(near.all()):
            return True
        as_far = _AS_FAR * largest(plain.to(truth.dtype) - truth)
        near |= apart <= torch.minimum(as_far, _AT_MOST[self.dtype] * size) + tiny
        if self.truth_known and not bool(near.all()):
            # A rectifier whose input is nearly zero may open in one order of sums and stay shut in
            # another: a few numbers are then far off, most are not. Float64 will decide.
            near |= _norm(got.to(truth.dtype) - truth) <= _FLIPPED * _norm(truth)
            near |= _norm(got - plain) <= _FLIPPED * _norm(plain)  # the plain ones flipped alike
        return bool(near.all())

    def known(self, plain: Tensor, truth: Tensor) -> Tensor:
        """True for each cell [K] whose plain module has not lost the truth itself."""
        lost = largest(plain.to(truth.dtype) - truth) / largest(truth)
        return lost < _AT_MOST[self.dtype]  # which NaN is not


def largest(values: Tensor) -> Tensor:
    """The largest value of each cell [K], NaN if there is one."""
    flat = values.detach().flatten(1)
    if not flat.shape[1]:
        return flat.new_zeros(len(flat))
    return torch.maximum(flat.amax(1), -flat.amin(1))  # abs() would copy millions of weights


def _norm(values: Tensor) -> Tensor:
    """The Euclidean norm of each cell's values [K]."""
    return values.detach().flatten(1).double().square().sum(1).sqrt()  # 1e30 has a square
