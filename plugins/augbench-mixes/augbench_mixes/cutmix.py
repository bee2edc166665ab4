"""CutMix (Yun et al. 2019, arXiv 1905.04899): a box of one image pasted into another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from augbench_mixes._checks import positive
from augbench_mixes._masks import box_mask, centred_box, paste

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["CutMix"]


@dataclass(frozen=True)
class CutMix:
    """A box with sides √(1 − λ)·(H, W) at a uniform centre shows x_j; λ ~ Beta(alpha, alpha).

    The box is clipped at the border, so that it is smaller than 1 − λ on average. The weight is
    the share of x_i that is left, counted in pixels.
    """

    sources: ClassVar[int] = 2
    # The values that the paper compares (figure 3).
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {"alpha": (0.1, 4.0, "log")}
    operations: ClassVar[frozenset[str]] = frozenset({"mixing", "occlusion"})
    alpha: float = 1.0

    def __post_init__(self) -> None:
        positive("alpha", self.alpha)

    def __call__(
        self, x_i: Tensor, x_j: Tensor, *, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mix two batches [N, C, H, W]; draws three values for each image."""
        count, (height, width) = len(x_i), x_i.shape[-2:]
        lam = rng.beta(self.alpha, self.alpha, size=count)
        row = rng.integers(height, size=count)
        column = rng.integers(width, size=count)
        box = centred_box(row, column, 1 - lam, height, width)
        return paste(x_i, x_j, box_mask(box, height, width))
