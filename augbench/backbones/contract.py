"""The contract of a backbone: a factory of feature extractors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import nn

__all__ = ["BackboneFactory"]


class BackboneFactory(Protocol):
    """Makes an `nn.Module` that maps images [N, C, H, W] to features [N, D].

    The module has an integer attribute `feature_dim` (D). It holds no classification head: the
    harness owns the heads, and seeds torch's generator around the call, so that the initial
    weights come from the cell's own stream. Hyper-parameters are keyword-only arguments with
    defaults. Dropout belongs into `nn.Dropout` or `nn.Dropout2d` modules, stochastic depth into
    timm's `DropPath` or torchvision's `StochasticDepth`: the harness then takes the masks from the
    cell's own stream as well.
    """

    def __call__(self, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
        """Build a new module for images of `in_channels` channels and (height, width) pixels."""
        ...
