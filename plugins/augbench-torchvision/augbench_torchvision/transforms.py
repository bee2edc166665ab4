"""Random Erasing, elastic and affine transforms, as torchvision has them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["Affine", "Elastic", "RandomErasing"]


@dataclass(frozen=True)
class RandomErasing:
    """With probability `p`, a box is set to `value` (Zhong et al., 1708.04896).

    Its area is a share from `scale_low` to `scale_high` of the image, its height over its width
    from `ratio_low` to `ratio_high`.
    """

    sources: ClassVar[int] = 1
    # Around the paper's values, p = 0.5 and areas up to 0.4: ours.
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {
        "p": (0.1, 1.0),
        "scale_high": (0.1, 0.6),
    }
    operations: ClassVar[frozenset[str]] = frozenset({"occlusion"})
    p: float = 0.5
    scale_low: float = 0.02
    scale_high: float = 0.33
    ratio_low: float = 0.3
    ratio_high: float = 3.3
    value: float = 0.0

    def __post_init__(self) -> None:
        _in("p", self.p, 0, 1)
        _in("scale_low", self.scale_low, 0, self.scale_high)
        _in("scale_high", self.scale_high, self.scale_low, 1)
        if not 0 < self.ratio_low <= self.ratio_high < math.inf:
            raise ValueError(
                "expected 0 < ratio_low <= ratio_high, "
                f"got ratio_low={self.ratio_low} and ratio_high={self.ratio_high}"
            )
        _in("value", self.value, 0, 1)

    def __call__(self, x: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Augment images [N, C, H, W]; draws one seed for each."""
        from torchvision.transforms import v2

        from augbench_torchvision._seeding import each

        scale, ratio = (self.scale_low, self.scale_high), (self.ratio_low, self.ratio_high)
        return each(x, v2.RandomErasing(self.p, scale, ratio, self.value), rng)


@dataclass(frozen=True)
class Elastic:
    """Pixels are moved by a smooth random field (Simard et al. 2003).

    The field is noise, smoothed with a Gaussian of `sigma` pixels, times `alpha`. Where the
    Gaussian does not fit into a small image, a narrower one that does is taken.
    """

    sources: ClassVar[int] = 1
    # A factor of five below torchvision's 50 and two above it: ours.
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {"alpha": (10.0, 100.0, "log")}
    operations: ClassVar[frozenset[str]] = frozenset({"elastic"})
    alpha: float = 50.0
    sigma: float = 5.0

    def __post_init__(self) -> None:
        for name in ("alpha", "sigma"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name} must be a finite number above 0, got {value}")

    def __call__(self, x: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Augment images [N, C, H, W]; draws one seed for each."""
        from torchvision.transforms import v2

        from augbench_torchvision._seeding import each

        # torchvision pads by reflection with half a kernel of 8·sigma + 1: less than a side.
        fitting = max(min(x.shape[-2:]) - 2, 0.5) / 4
        return each(x, v2.ElasticTransform(self.alpha, min(self.sigma, fitting)), rng)


@dataclass(frozen=True)
class Affine:
    """A rotation, shift, scaling and shear of random size, filled with black.

    Degrees up to `degrees` and `shear` either way, shifts up to `translate` of each side, scales
    from `scale_low` to `scale_high`. torchvision has no defaults for these; they are ours.
    """

    sources: ClassVar[int] = 1
    # Ours, as the defaults are.
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {
        "degrees": (0.0, 30.0),
        "translate": (0.0, 0.2),
    }
    degrees: float = 15.0
    translate: float = 0.1
    scale_low: float = 0.9
    scale_high: float = 1.1
    shear: float = 10.0

    def __post_init__(self) -> None:
        _in("degrees", self.degrees, 0, 180)
        _in("translate", self.translate, 0, 1)
        if not 0 < self.scale_low <= self.scale_high < math.inf:
            raise ValueError(
                "expected 0 < scale_low <= scale_high, "
                f"got scale_low={self.scale_low} and scale_high={self.scale_high}"
            )
        _in("shear", self.shear, 0, 89)

    @property
    def operations(self) -> frozenset[str]:
        """The words for its effect on an image, of `augbench.operations`."""
        scales = (self.scale_low, self.scale_high) != (1, 1)
        done = {
            "rotation": self.degrees > 0,
            "translation": self.translate > 0,
            "scale": scales,
            "shear": self.shear > 0,
        }
        return frozenset(name for name, does in done.items() if does)

    def __call__(self, x: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Augment images [N, C, H, W]; draws one seed for each."""
        from torchvision.transforms import v2

        from augbench_torchvision._seeding import each

        transform = v2.RandomAffine(
            self.degrees,
            translate=(self.translate, self.translate),
            scale=(self.scale_low, self.scale_high),
            shear=self.shear,
            interpolation=v2.InterpolationMode.BILINEAR,
        )
        return each(x, transform, rng)


def _in(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be in [{low:g}, {high:g}], got {value}")
