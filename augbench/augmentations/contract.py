"""The contract of an augmentation: from source images to an image and each source's weight.

The harness draws the sources (position i of a batch and other positions of the same batch, never
i itself), makes the soft labels from the weights, and calls the augmentation on whole blocks of
steps at once: row i of the output may depend on row i of the sources and on the draws alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["Augmentation"]


@runtime_checkable
class Augmentation(Protocol):
    """An augmentation of `sources` images per output.

    Hyper-parameters are keyword arguments of the constructor, with defaults, each a bool, int,
    float or str; they are validated there (`ValueError`), and kept as attributes of their names.

    ```python
    class Half:
        sources = 2

        def __call__(self, x_i, x_j, *, rng):
            return (x_i + x_j) / 2, x_i.new_full((len(x_i),), 0.5)
    ```
    """

    sources: ClassVar[int]
    """How many images one output is made of: 1, 2 (a pair), or more."""

    def __call__(self, *sources: Tensor, rng: np.random.Generator) -> object:
        """Augment a batch.

        Each source is float32 [N, C, H, W] in [0, 1] and must be left unchanged; N may be 1 or odd.
        All randomness comes from `rng`. The result lies on the device of the sources:

        - 1 source: `image`, or `(image, weight)` with weight [N] of ones.
        - 2 sources: `(image, lam)`, with `lam` [N] in [0, 1], the share of `x_i`.
        - K > 2 sources: `(image, weights)`, with weights [N, K], each row summing to 1.

        `image` is float32 [N, C, H, W], of the sources' shape.
        """
        ...
