"""`RandomMixUpV2` and `RandomCutMixV2`, as they are, with the harness's partners and generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["KorniaPair"]


@dataclass(frozen=True)
class KorniaPair:
    """kornia's mixup or its CutMix, with parameters drawn for each image.

    Its mixup draws the share of x_j from U(`low`, `high`). Its CutMix draws a λ from
    Beta(`beta`, `beta`), clamped to [`low`, `high`], for a box of sides √(1 − λ)·(H, W) that
    lies inside the image.
    """

    sources: ClassVar[int] = 2
    # CutMix's; kornia's mixup has no Beta distribution, and this changes nothing in it.
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {"beta": (0.1, 4.0, "log")}
    mixer: Literal["mixup", "cutmix"] = "mixup"
    low: float = 0.0
    high: float = 1.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        if self.mixer not in ("mixup", "cutmix"):
            raise ValueError(f"mixer must be mixup or cutmix, got {self.mixer!r}")
        if not (0 <= self.low <= self.high <= 1 and self.low < 1):
            raise ValueError(
                f"expected 0 <= low <= high <= 1 and low < 1, got low={self.low}, high={self.high}"
            )
        if not 0 < self.beta < float("inf"):
            raise ValueError(f"beta must be a finite number above 0, got {self.beta}")

    @property
    def operations(self) -> frozenset[str]:
        """The words for its effect on an image, of `augbench.operations`."""
        return frozenset({"mixing"} if self.mixer == "mixup" else {"mixing", "occlusion"})

    def __call__(
        self, x_i: Tensor, x_j: Tensor, *, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mix two batches [N, C, H, W]; draws one seed."""
        import torch
        from kornia.augmentation import RandomCutMixV2, RandomMixUpV2

        from augbench_kornia._seeding import seeded

        keys, span = ["input", "class"], (self.low, self.high)
        if self.mixer == "mixup":
            transform = RandomMixUpV2(lambda_val=span, data_keys=keys)
        else:
            transform = RandomCutMixV2(
                cut_size=span, beta=self.beta, data_keys=keys, use_correct_lambda=True
            )
        count = len(x_i)
        both = torch.cat([x_i, x_j])  # [2N, C, H, W]
        whose = torch.arange(2, device=x_i.device).repeat_interleave(count)
        with seeded(rng):
            params = transform.forward_parameters(both.shape)
        # In the place of kornia's own pairing: position n meets position N + n.
        meets = torch.arange(count).add(count).repeat(2)
        if self.mixer == "mixup":
            params["mixup_pairs"] = meets
        else:
            params["mix_pairs"] = meets[None]
        image, labels = transform(both, whose, params=params)
        lam = labels[:count, 2] if self.mixer == "mixup" else labels[0, :count, 2]
        # Of x_j in kornia's mixup, of x_i in its CutMix.
        return image[:count], 1 - lam if self.mixer == "mixup" else lam
