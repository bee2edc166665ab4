"""Random crops of the padded image, and horizontal flips: the field's usual base on photographs.

As in the training of residual networks on CIFAR (He et al. 2016, arXiv 1512.03385, section 4.2:
4 pixels of padding at 32×32), and in torchvision's `RandomCrop` and `RandomHorizontalFlip`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["CropFlip"]


@dataclass(frozen=True)
class CropFlip:
    """Crop each image at a random place of itself in a black frame; flip half of them.

    `padding` is the width of the frame in pixels, 0 for no crop; by default an eighth of the
    image's shorter side. With `flip`, an image is mirrored left to right with probability 1/2:
    switch it off where that changes the class, as it does of digits and letters.
    """

    sources: ClassVar[int] = 1
    shares: ClassVar[str] = "a crop moves a part of the image out, and black in"
    padding: int | None = None
    flip: bool = True

    def __post_init__(self) -> None:
        if self.padding is not None and self.padding < 0:
            raise ValueError(f"padding must be 0 or more pixels, got {self.padding}")

    @property
    def operations(self) -> frozenset[str]:
        """The words for its effect on an image, of `augbench.operations`."""
        crop = {"crop", "translation"} if self.padding != 0 else set()
        return frozenset(crop | ({"flip"} if self.flip else set()))

    def __call__(self, x: Tensor, *, rng: np.random.Generator) -> Tensor:
        """Move a batch [N, C, H, W]; draws N places (two numbers each), then N flips."""
        import torch

        count, _, height, width = x.shape
        frame = min(height, width) // 8 if self.padding is None else self.padding
        if frame:
            top, left = torch.from_numpy(rng.integers(0, 2 * frame + 1, size=(2, count)))
            framed = torch.nn.functional.pad(x, (frame,) * 4)
            # Every crop is a view, [N, C, 2·frame + 1, 2·frame + 1, H, W]: one is copied of each.
            crops = framed.unfold(2, height, 1).unfold(3, width, 1)
            rows = torch.arange(count, device=x.device)
            x = crops[rows, :, top.to(x.device), left.to(x.device)]
        if self.flip:
            mirrored = torch.from_numpy(rng.random(count) < 0.5).to(x.device)
            x = torch.where(mirrored.view(-1, 1, 1, 1), x.flip(3), x)
        return x
