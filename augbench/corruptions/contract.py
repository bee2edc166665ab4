"""The contract of a corruption: damage to test images, at one of three strengths.

A class attribute `operations` says what it does to an image, in the words of
`augbench.operations.OPERATIONS`; `operations_of` reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from augbench.errors import ContractError
from augbench.operations import operations_of

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["STRENGTHS", "Corruption", "at_strength", "checked_images", "operations_of"]

STRENGTHS = (1, 2, 3)
"""Mild, medium and strong; the severities 1, 3 and 5 of Hendrycks and Dietterich 2019
(arXiv 1903.12261) are the models."""


@runtime_checkable
class Corruption(Protocol):
    """A kind of damage, at the strength that its constructor was given.

    The constructor takes `strength`, 1, 2 or 3 (`ValueError` otherwise), and parameters of its own
    with defaults, each a bool, int, float or str; they are kept as attributes of their names.

    ```python
    class Darkness:
        operations = frozenset({"brightness"})

        def __init__(self, strength):
            self.strength = strength
            self.factor = at_strength(strength, (0.8, 0.5, 0.2))

        def __call__(self, images, *, rng):
            return (images * self.factor).to(images.dtype)
    ```
    """

    operations: ClassVar[frozenset[str]]
    """The words for its effect on an image, of `OPERATIONS`."""

    strength: int

    def __call__(self, images: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Corrupt a batch.

        `images` are uint8 [N, C, H, W] and must be left unchanged; N may be 1 or odd, C is 1 or 3,
        and images need not be square. Returns uint8 of the same shape, on the same device. All
        randomness comes from `rng`, drawn for each image: row i depends on row i and on the draws
        alone. Sizes in pixels follow from the size of the images.
        """
        ...


def at_strength(strength: int, values: tuple[float, float, float]) -> float:
    """Return the value for a strength of 1, 2 or 3; raises `ValueError` for any other."""
    if type(strength) is not int or strength not in STRENGTHS:
        raise ValueError(f"strength must be 1, 2 or 3, got {strength!r}")
    return values[strength - 1]


def checked_images(returned: object, images: Tensor, corruption: object) -> Tensor:
    """Return what a corruption returned for `images`, uint8 of their shape and on their device.

    Raises `ContractError` for anything else.
    """
    import torch

    who = type(corruption).__name__
    if not isinstance(returned, torch.Tensor):
        raise ContractError(f"{who}: expected a torch.Tensor, got a {type(returned).__name__}")
    if returned.dtype != torch.uint8 or returned.shape != images.shape:
        raise ContractError(
            f"{who}: expected uint8 {list(images.shape)}, got "
            f"{str(returned.dtype).removeprefix('torch.')} {list(returned.shape)}"
        )
    if returned.device != images.device:
        raise ContractError(
            f"{who}: expected images on {images.device}, got them on {returned.device}"
        )
    return returned
