"""Manifold mixup (Verma et al. 2019, arXiv 1806.05236): mixup of a hidden layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from augbench_mixes._checks import at_least, positive

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["ManifoldMixup"]


@dataclass(frozen=True)
class ManifoldMixup:
    """λ·h_i + (1 − λ)·h_j of one layer's output, λ ~ Beta(alpha, alpha) for each image.

    The layer is drawn anew for each batch, uniformly among the images and the first `layers`
    layers of the backbone (all of them where it has fewer). The paper draws one λ for a batch.
    """

    sources: ClassVar[int] = 2
    operations: ClassVar[frozenset[str]] = frozenset({"mixing"})
    needs: ClassVar[frozenset[str]] = frozenset({"hidden"})
    # A factor of ten below the paper's 2 and two above it: ours.
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {"alpha": (0.2, 4.0, "log")}
    alpha: float = 2.0
    layers: int = 2

    def __post_init__(self) -> None:
        positive("alpha", self.alpha)
        at_least("layers", self.layers, 0)

    def choose_layer(self, layers: Sequence[str], *, rng: np.random.Generator) -> str:
        """Draw where to mix; `layers` begins with the images."""
        return layers[int(rng.integers(min(len(layers), self.layers + 1)))]

    def __call__(
        self, h_i: Tensor, h_j: Tensor, *, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mix two batches [N, …]; draws N values."""
        lam = h_i.new_tensor(rng.beta(self.alpha, self.alpha, size=len(h_i)))  # [N]
        share = lam.view(-1, *[1] * (h_i.ndim - 1))  # [N, 1, …]
        return share * h_i + (1 - share) * h_j, lam
