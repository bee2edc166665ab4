"""Mixup (Zhang et al. 2018, arXiv 1710.09412): a convex combination of two images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["Mixup"]


@dataclass(frozen=True)
class Mixup:
    """λ·x_i + (1 − λ)·x_j, with λ ~ Beta(alpha, alpha) drawn for each image.

    `alpha` is the Beta parameter; the handout, which writes α for λ as well, uses 0.3.
    """

    sources: ClassVar[int] = 2
    # The paper's 0.1 to 0.4 on ImageNet and 1 on CIFAR, with a factor of two around.
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {"alpha": (0.05, 2.0, "log")}
    operations: ClassVar[frozenset[str]] = frozenset({"mixing"})
    alpha: float = 0.3

    def __post_init__(self) -> None:
        if not (math.isfinite(self.alpha) and self.alpha > 0):
            raise ValueError(f"alpha must be a finite number above 0, got {self.alpha}")

    def __call__(
        self, x_i: Tensor, x_j: Tensor, *, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mix two batches [N, C, H, W]; draws N values."""
        lam = x_i.new_tensor(rng.beta(self.alpha, self.alpha, size=len(x_i)))  # [N]
        share = lam.view(-1, 1, 1, 1)  # [N, 1, 1, 1]
        # Plain products and one sum: each is rounded alike wherever a row lies in a block, which
        # fused kernels do not promise.
        return (x_i * share).add_(x_j * (1 - share)), lam
