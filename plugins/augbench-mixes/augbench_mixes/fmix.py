"""FMix (Harris et al. 2020, arXiv 2002.12047): masks of any shape, from low frequencies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from augbench_mixes._checks import positive
from augbench_mixes._masks import paste

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FMix", "low_frequencies", "top_pixels"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FMix:
    """The share λ ~ Beta(alpha, alpha) of pixels where a smooth random field is highest is x_i's.

    The field is Gaussian noise whose amplitude at frequency f is divided by f^decay.
    """

    sources: ClassVar[int] = 2
    # As CutMix's, whose λ it shares; the paper gives no range.
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {"alpha": (0.1, 4.0, "log")}
    operations: ClassVar[frozenset[str]] = frozenset({"mixing", "occlusion"})
    alpha: float = 1.0
    decay: float = 3.0

    def __post_init__(self) -> None:
        positive("alpha", self.alpha)
        if not (math.isfinite(self.decay) and self.decay >= 0):
            raise ValueError(f"decay must be a finite number of at least 0, got {self.decay}")

    def __call__(
        self, x_i: Tensor, x_j: Tensor, *, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mix two batches [N, C, H, W]; draws 1 + H·W values for each image."""
        count, (height, width) = len(x_i), x_i.shape[-2:]
        lam = rng.beta(self.alpha, self.alpha, size=count)
        field = low_frequencies(rng.standard_normal((count, height, width)), self.decay)
        return paste(x_i, x_j, ~top_pixels(field, lam)[:, None])


def low_frequencies(noise: Floats, decay: float) -> Floats:
    """Divide the amplitudes of white noise [N, H, W] by f^decay.

    Real white noise has the spectrum of the paper's complex one, its real part taken, in
    distribution. The constant part orders no pixels, and is left out.
    """
    height, width = noise.shape[-2:]
    vertical, horizontal = np.fft.fftfreq(height), np.fft.rfftfreq(width)
    frequency = np.hypot(vertical[:, None], horizontal)  # [H, W // 2 + 1], cycles a pixel
    frequency[0, 0] = 1.0  # above all others, which end at √0.5
    # Relative to the lowest: no power of it can overflow.
    gain = (frequency.min() / frequency) ** decay
    gain[0, 0] = 0
    filtered: Floats = np.fft.irfft2(np.fft.rfft2(noise) * gain, s=(height, width))
    return filtered


def top_pixels(field: Floats, share: Floats) -> NDArray[np.bool_]:
    """The `share` [N] of pixels, to the nearest pixel, where a field [N, H, W] is highest."""
    flat = field.reshape(len(field), -1)  # [N, H·W]
    pixels = flat.shape[1]
    chosen = np.floor(share * pixels + 0.5).astype(np.int64)  # [N]
    ascending = np.sort(flat, axis=1)
    lowest = ascending[np.arange(len(flat)), np.clip(pixels - chosen, 0, pixels - 1)]
    mask: NDArray[np.bool_] = (flat >= lowest[:, None]) & (chosen > 0)[:, None]
    return mask.reshape(field.shape)
