"""`timm.data.Mixup`, as it is, with the harness's partners and generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TimmMixup"]

_KNOWN = ("mixup", "cutmix")


@dataclass(frozen=True)
class TimmMixup:
    """timm's mixup, its CutMix, or either at random: `mixers` is "mixup", "cutmix" or both.

    Parameters are drawn for each image (timm's mode "elem"). With both, an image gets CutMix
    with probability `switch_prob`; one is left alone with probability 1 − `prob`.
    """

    sources: ClassVar[int] = 2
    # Those of mixup and CutMix; that of a mixer which is not in `mixers` changes nothing.
    search_space: ClassVar[dict[str, tuple[float | str, ...]]] = {
        "mixup_alpha": (0.05, 2.0, "log"),
        "cutmix_alpha": (0.1, 4.0, "log"),
    }
    mixers: str = "mixup"
    mixup_alpha: float = 1.0
    cutmix_alpha: float = 1.0
    prob: float = 1.0
    switch_prob: float = 0.5

    def __post_init__(self) -> None:
        unknown = [name for name in self._names if name not in _KNOWN]
        if unknown or len(set(self._names)) < len(self._names):
            raise ValueError(f"mixers must be mixup, cutmix or mixup,cutmix, got {self.mixers!r}")
        for name in ("mixup_alpha", "cutmix_alpha"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise ValueError(f"{name} must be a finite number above 0, got {value}")
        for name in ("prob", "switch_prob"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {value}")

    @property
    def _names(self) -> list[str]:
        return [name.strip() for name in self.mixers.split(",")]

    @property
    def operations(self) -> frozenset[str]:
        """The words for its effect on an image, of `augbench.operations`."""
        return frozenset({"mixing"} | ({"occlusion"} if "cutmix" in self._names else set()))

    def __call__(
        self, x_i: Tensor, x_j: Tensor, *, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mix two batches [N, C, H, W]; draws one seed."""
        import torch
        from timm.data.mixup import Mixup

        count = len(x_i)
        mixup = Mixup(  # type: ignore[no-untyped-call]
            mixup_alpha=self.mixup_alpha if "mixup" in self._names else 0.0,
            cutmix_alpha=self.cutmix_alpha if "cutmix" in self._names else 0.0,
            prob=self.prob,
            switch_prob=self.switch_prob,
            mode="elem",
            label_smoothing=0.0,
            num_classes=2,
        )
        # timm pairs position n of a batch with position n from its end: so x_i[n] meets x_j[n],
        # and the batch is even. Whether a pixel is x_i's or x_j's is the "class".
        both = torch.cat([x_i, x_j.flip(0)])  # [2N, C, H, W]
        whose = torch.arange(2, device=x_i.device).repeat_interleave(count)
        with _seeded(int(rng.integers(2**32))):
            mixed, target = mixup(both, whose)
        return mixed[:count], target[:count, 0].to(x_i.dtype)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed NumPy's global generator, which timm draws from, and put it back."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
