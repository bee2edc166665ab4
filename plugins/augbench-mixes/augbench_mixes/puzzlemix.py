"""PuzzleMix (Kim et al. 2020, arXiv 2009.06962): salient blocks of two images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from augbench_mixes import _puzzle
from augbench_mixes._blocks import blocks_to_pixels
from augbench_mixes._checks import at_least, positive
from augbench_mixes._masks import on_device

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PuzzleMix"]

Floats = NDArray[np.float64]
_GRIDS = (2, 4, 8, 16)


@dataclass(frozen=True)
class PuzzleMix:
    """Blocks show the image chosen by the loss's gradients, and are then moved.

    For a grid drawn for each image among 2, 4, 8 and 16 (blocks of two pixels at least), the
    shares z of the blocks minimise, exactly: minus the saliency that shows; `beta` times the
    squared difference of neighbours; `gamma` times that, the step between the pixels of
    neighbours; and `eta` times minus the log likelihood of z under λ ~ Beta(alpha, alpha). Then
    each image's blocks, of about `transport` pixels a side or 0 for none, are permuted so that
    more of its saliency shows, at `xi` times the squared distance. Defaults of the published
    CIFAR-100 settings.
    """

    sources: ClassVar[int] = 2
    operations: ClassVar[frozenset[str]] = frozenset({"mixing", "occlusion"})
    needs: ClassVar[frozenset[str]] = frozenset({"gradients"})
    # As CutMix's, whose λ it shares; the paper gives no range.
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {"alpha": (0.1, 4.0, "log")}
    alpha: float = 1.0
    beta: float = 1.2
    gamma: float = 0.5
    eta: float = 0.2
    xi: float = 0.8
    transport: int = 4
    labels: int = 3

    def __post_init__(self) -> None:
        positive("alpha", self.alpha)
        for name in ("beta", "gamma", "eta", "xi"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be a finite number of at least 0, got {value}")
        if self.gamma > 1:  # a cut needs neighbours to pay, not to be paid, for their difference
            raise ValueError(f"gamma must be at most 1, got {self.gamma}")
        at_least("transport", self.transport, 0)
        at_least("labels", self.labels, 2)

    def __call__(
        self,
        x_i: Tensor,
        x_j: Tensor,
        *,
        gradients: tuple[Tensor, ...],
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Mix two batches [N, C, H, W]; draws two values for each image."""
        count, (height, width) = len(x_i), x_i.shape[-2:]
        lam = rng.beta(self.alpha, self.alpha, size=count)
        grids = [grid for grid in _GRIDS if 2 * grid <= min(height, width)] or [1]
        drawn = rng.integers(len(grids), size=count)

        images = [_numpy(x) for x in (x_i, x_j)]
        steep = [np.sqrt((_numpy(g) ** 2).mean(axis=1)) for g in gradients]  # [N, H, W] each
        mask = np.empty((count, height, width))
        places = np.tile(np.arange(height * width), (2, count, 1))  # which pixel shows where
        for number, grid in enumerate(grids):
            rows = np.flatnonzero(drawn == number)
            if not len(rows):
                continue
            share = _puzzle.shares(
                [image[rows] for image in images],
                [saliency[rows] for saliency in steep],
                lam[rows],
                grid,
                labels=self.labels,
                weights=(self.beta, self.gamma, self.eta),
            )
            mask[rows] = blocks_to_pixels(share, height, width)
            if self.transport:
                for k, part in enumerate((share, 1 - share)):
                    places[k, rows] = _puzzle.places(
                        steep[k][rows], part, size=self.transport, xi=self.xi
                    )
        shown = [
            x.flatten(2).gather(2, on_device(place, x)[:, None].expand(-1, x.shape[1], -1))
            for x, place in zip((x_i, x_j), places, strict=True)
        ]
        weight = x_i.new_tensor(mask.reshape(count, 1, -1))  # [N, 1, H·W]
        image = weight * shown[0] + (1 - weight) * shown[1]
        return image.view_as(x_i), x_i.new_tensor(mask.mean(axis=(1, 2)))


def _numpy(x: Tensor) -> Floats:
    values: Floats = x.detach().cpu().double().numpy()
    return values
