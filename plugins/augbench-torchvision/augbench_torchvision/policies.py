"""RandAugment, TrivialAugment and AugMix, as torchvision has them.

They work on uint8 images of one or three channels. Images come as uint8 divided by 255, so the
way there and back changes nothing. On images of one channel, the operation "Color" does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from torch import Tensor

__all__ = ["AugMix", "RandAugment", "TrivialAugmentWide"]


@dataclass(frozen=True)
class RandAugment:
    """`num_ops` operations drawn at random, of one `magnitude` (Cubuk et al., 1909.13719).

    The magnitude is the index of one of `num_magnitude_bins` strengths.
    """

    sources: ClassVar[int] = 1
    # The paper searches one to three operations; its magnitudes are of 0 to 30.
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {
        "num_ops": (1, 3),
        "magnitude": (0, 30),
    }
    operations: ClassVar[frozenset[str]] = frozenset(
        {
            *("shear", "translation", "rotation", "brightness", "colour", "contrast", "tone"),
            "blur",  # torchvision's sharpness, which goes either way
        }
    )
    num_ops: int = 2
    magnitude: int = 9
    num_magnitude_bins: int = 31

    def __post_init__(self) -> None:
        _at_least("num_ops", self.num_ops, 1)
        _bins(self.num_magnitude_bins)
        if not 0 <= self.magnitude < self.num_magnitude_bins:
            raise ValueError(
                f"magnitude must be in [0, {self.num_magnitude_bins - 1}], got {self.magnitude}"
            )

    def __call__(self, x: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Augment images [N, C, H, W]; draws one seed for each."""
        from torchvision.transforms import v2

        transform = v2.RandAugment(self.num_ops, self.magnitude, self.num_magnitude_bins)
        return _on_bytes(x, transform, rng, drawn_first=True)


@dataclass(frozen=True)
class TrivialAugmentWide:
    """One operation of one strength, both drawn at random (Müller and Hutter, 2103.10158)."""

    sources: ClassVar[int] = 1
    operations: ClassVar[frozenset[str]] = frozenset(
        {
            *("shear", "translation", "rotation", "brightness", "colour", "contrast", "tone"),
            "blur",  # torchvision's sharpness, which goes either way
        }
    )
    num_magnitude_bins: int = 31

    def __post_init__(self) -> None:
        _bins(self.num_magnitude_bins)

    def __call__(self, x: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Augment images [N, C, H, W]; draws one seed for each."""
        from torchvision.transforms import v2

        transform = v2.TrivialAugmentWide(self.num_magnitude_bins)
        return _on_bytes(x, transform, rng, drawn_first=True)


@dataclass(frozen=True)
class AugMix:
    """A weighted sum of the image and of chains of operations on it (Hendrycks et al., 1912.02781).

    `chain_depth` −1 draws each chain's length from 1 to 3. Without the paper's consistency loss.
    """

    sources: ClassVar[int] = 1
    # Around the paper's 3: ours.
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {"severity": (1, 5)}
    severity: int = 3
    mixture_width: int = 3
    chain_depth: int = -1
    alpha: float = 1.0
    all_ops: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.severity <= 10:
            raise ValueError(f"severity must be in [1, 10], got {self.severity}")
        _at_least("mixture_width", self.mixture_width, 1)
        if self.chain_depth != -1:
            _at_least("chain_depth", self.chain_depth, 1)
        if not 0 < self.alpha < float("inf"):
            raise ValueError(f"alpha must be a finite number above 0, got {self.alpha}")

    @property
    def operations(self) -> frozenset[str]:
        """The words for its effect on an image, of `augbench.operations`."""
        some = {"shear", "translation", "rotation", "contrast", "tone"}
        return frozenset(some | ({"brightness", "colour", "blur"} if self.all_ops else set()))

    def __call__(self, x: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Augment images [N, C, H, W]; draws one seed for each."""
        from torchvision.transforms import v2

        transform = v2.AugMix(
            self.severity, self.mixture_width, self.chain_depth, self.alpha, self.all_ops
        )
        return _on_bytes(x, transform, rng)


def _on_bytes(
    x: Tensor,
    transform: Callable[[Tensor], Tensor],
    rng: np.random.Generator,
    *,
    drawn_first: bool = False,
) -> Tensor:
    import torch

    from augbench_torchvision._draw_then_apply import draw_then_apply
    from augbench_torchvision._seeding import each

    if x.shape[1] not in (1, 3):
        raise ValueError(f"torchvision's policies need 1 or 3 channels, got {x.shape[1]}")
    bytes_ = (x * 255).round().to(torch.uint8)
    run = draw_then_apply if drawn_first else each
    return run(bytes_, transform, rng).to(x.dtype).div_(255)


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def _bins(value: int) -> None:
    _at_least("num_magnitude_bins", value, 2)
