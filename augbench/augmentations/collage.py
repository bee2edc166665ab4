"""Collage: two images cut into quadrants and laid out crosswise (the handout's first method)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["Collage"]


class Collage:
    """Top-right and bottom-left quadrants from x_i, the other two from x_j.

    The cuts are at `height // 2` and `width // 2`, as in the handout's code: of an odd side, the
    upper or left part is the smaller one. `lam` is the realised share of `x_i`. It is 0.5 where
    at least one side is even, and `(H·W − 1) / (2·H·W)` where both are odd.
    """

    sources: ClassVar[int] = 2
    operations: ClassVar[frozenset[str]] = frozenset({"mixing", "occlusion"})

    def __call__(
        self, x_i: Tensor, x_j: Tensor, *, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mix two batches [N, C, H, W]; draws nothing."""
        height, width = x_i.shape[-2:]
        top, left = height // 2, width // 2
        image = x_i.clone()
        image[..., :top, :left] = x_j[..., :top, :left]
        image[..., top:, left:] = x_j[..., top:, left:]
        share = (top * (width - left) + (height - top) * left) / (height * width)
        return image, x_i.new_full((len(x_i),), share)

    def __repr__(self) -> str:
        return "Collage()"
