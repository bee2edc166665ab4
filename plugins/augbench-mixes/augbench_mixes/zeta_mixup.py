"""ζ-mixup (Abhishek et al. 2022, arXiv 2204.03323): many images, one of which dominates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from augbench_mixes._checks import at_least, positive

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ZetaMixup", "p_series"]


@dataclass(frozen=True)
class ZetaMixup:
    """A weighted sum of `sources` images, the weights a p-series 1, 2^−γ, 3^−γ, … in random order.

    The paper mixes the whole batch; 8 images are AugBench's usual one. With γ above 1.73, one
    image weighs more than all others together.
    """

    operations = frozenset({"mixing"})
    gamma: float = 2.8
    sources: int = 8
    # From the paper's least γ, with which one image still outweighs the others; 4 is ours.
    search_space = {"gamma": (1.73, 4.0)}  # noqa: RUF012 (an import would change the keys)

    def __post_init__(self) -> None:
        positive("gamma", self.gamma)
        at_least("sources", self.sources, 3)

    def __call__(self, *sources: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Mix K batches [N, C, H, W]; draws a permutation of K for each image."""
        first = sources[0]
        ranks = rng.permuted(np.tile(np.arange(len(sources)), (len(first), 1)), axis=1)
        weights = first.new_tensor(p_series(ranks, self.gamma))  # [N, K]
        image = first * weights[:, 0, None, None, None]
        for k in range(1, len(sources)):
            image += sources[k] * weights[:, k, None, None, None]
        return image, weights


def p_series(ranks: NDArray[np.int64], gamma: float) -> NDArray[np.float64]:
    """Weights of ranks [N, K] from 0: (rank + 1)^−γ over the sum of all K."""
    series = (1.0 + np.arange(ranks.shape[1])) ** -gamma
    weights: NDArray[np.float64] = (series / series.sum())[ranks]
    return weights
