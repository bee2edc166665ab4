"""SaliencyMix (Uddin et al. 2020, arXiv 2006.01791): CutMix, with the box where x_j stands out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from augbench_mixes._checks import positive
from augbench_mixes._masks import box_mask, centred_box, paste

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SaliencyMix", "peaks", "saliency"]


@dataclass(frozen=True)
class SaliencyMix:
    """A box with sides √(1 − λ)·(H, W) around the most salient pixel of x_j shows x_j.

    λ ~ Beta(alpha, alpha); the weight is the share of x_i that is left after clipping. The
    saliency is computed from x_j alone, see `saliency`.
    """

    sources: ClassVar[int] = 2
    # As CutMix's, whose λ it shares; the paper gives no range.
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {"alpha": (0.1, 4.0, "log")}
    operations: ClassVar[frozenset[str]] = frozenset({"mixing", "occlusion"})
    alpha: float = 1.0

    def __post_init__(self) -> None:
        positive("alpha", self.alpha)

    def __call__(
        self, x_i: Tensor, x_j: Tensor, *, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mix two batches [N, C, H, W]; draws one value for each image."""
        height, width = x_i.shape[-2:]
        lam = rng.beta(self.alpha, self.alpha, size=len(x_i))
        row, column = peaks(x_j)
        box = centred_box(row, column, 1 - lam, height, width)
        return paste(x_i, x_j, box_mask(box, height, width))


def saliency(x: Tensor) -> Tensor:
    """Return the contrast of each pixel of [N, C, H, W] with its surroundings: [N, H, W].

    The sum over three scales of |intensity − mean of a surrounding square|, in the manner of the
    centre-surround differences of Montabone and Soto (2010), which the paper uses in OpenCV's
    version. The squares reach an eighth, a quarter and a half of the shorter side, and are cut
    off at the border.
    """
    intensity = x.mean(dim=1).double()  # [N, H, W]
    height, width = intensity.shape[-2:]
    total = intensity.new_zeros(intensity.shape)
    for part in (8, 4, 2):
        reach = max(1, min(height, width) // part)
        # The mean over a box is a mean over rows of means over columns: two matrix products.
        down, across = (intensity.new_tensor(_window(side, reach)) for side in (height, width))
        total += (intensity - down @ intensity @ across.T).abs()
    # What is equal but for rounding becomes equal: ties then go to the first pixel everywhere.
    return total.float()


def _window(side: int, reach: int) -> NDArray[np.float64]:
    """A matrix [side, side] whose row r takes the mean of pixels r − reach … r + reach."""
    pixels = np.arange(side)
    near = np.abs(pixels - pixels[:, None]) <= reach
    window: NDArray[np.float64] = near / near.sum(axis=1, keepdims=True)
    return window


def peaks(x: Tensor) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column [N] of the most salient pixel of each image."""
    flat = saliency(x).flatten(1).argmax(dim=1).cpu().numpy()
    return flat // x.shape[-1], flat % x.shape[-1]
