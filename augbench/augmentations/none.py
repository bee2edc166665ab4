"""No augmentation: the baseline that every other augmentation is paired with."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["NoAugmentation"]


class NoAugmentation:
    """The image as it is: the baseline."""

    sources: ClassVar[int] = 1
    operations: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, x: Tensor, *, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return `x` itself (not a copy) with a weight of one for each image; draws nothing."""
        return x, x.new_ones(len(x))

    def __repr__(self) -> str:
        return "NoAugmentation()"
