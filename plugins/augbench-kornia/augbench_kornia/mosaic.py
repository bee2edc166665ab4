"""`RandomMosaic`, as it is, with the harness's partners and generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["KorniaMosaic"]


@dataclass(frozen=True)
class KorniaMosaic:
    """kornia's 2×2 mosaic of four images, cut out from `low` … `high` of a side on.

    kornia gives no labels for it: the weights are the shares of the tiles that its window shows.
    """

    sources: ClassVar[int] = 4
    operations: ClassVar[frozenset[str]] = frozenset({"mixing", "crop", "translation"})
    low: float = 0.3
    high: float = 0.7

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(f"expected 0 <= low <= high <= 1, got {self.low} and {self.high}")

    def __call__(self, *sources: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Mix four batches [N, C, H, W]; draws one seed."""
        import torch
        from kornia.augmentation import RandomMosaic

        from augbench_kornia._seeding import seeded

        count, (height, width) = len(sources[0]), sources[0].shape[-2:]
        transform = RandomMosaic(start_ratio_range=(self.low, self.high), p=1.0)
        every = torch.cat(sources)  # [4N, C, H, W]
        with seeded(rng):
            params = transform.forward_parameters(every.shape)
        positions = torch.arange(count)
        own = torch.stack([positions + k * count for k in range(4)], dim=1)  # [N, 4]
        params["permutation"] = own.repeat(4, 1)
        image = transform(every, params=params)[:count]

        corner = params["src"][:count, 0].to(sources[0])  # [N, 2]: column and row of the window
        right, below = corner[:, 0] / width, corner[:, 1] / height  # what it shows there
        left, above = 1 - right, 1 - below
        # kornia counts tiles down first: top left, bottom left, top right, bottom right.
        weights = [left * above, left * below, right * above, right * below]
        return image, torch.stack(weights, dim=1)
