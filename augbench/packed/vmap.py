"""Backbones without packing rules: `torch.func.vmap` over the unmodified module."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from augbench.packed.dropout import StreamDropout, StreamDropPath
from augbench.packed.likeness import check_alike
from augbench.packed.masks import Masks
from augbench.packed.rules.registry import UnpackableError
from augbench.packed.taps import Changes
from augbench.packed.values import DRAWS

__all__ = ["PackedByVmap"]


class _GivenMask(nn.Module):
    """A dropout whose mask is handed in, so that each cell's comes from its own stream."""

    mask: Tensor
    shape: tuple[int, ...] = ()

    def __init__(self, layer: StreamDropout) -> None:
        super().__init__()
        self.register_buffer("mask", torch.ones(()))
        # What a dropout may be asked for.
        self.p, self.inplace, self.by_channel = layer.p, layer.inplace, layer.by_channel
        if isinstance(layer, StreamDropPath):
            self.drop_prob, self.scale_by_keep, self.mode = layer.p, layer.scale, layer.mode

    def forward(self, x: Tensor) -> Tensor:
        self.shape = tuple(x.shape)
        return x * self.mask if self.training else x


class PackedByVmap:
    """K backbones of one architecture, with the interface of `trace.PackedByRules`.

    Raises `UnpackableError` for a backbone that is itself a dropout.
    """

    replayable = False  # its author's own code runs at each step
    taps: Mapping[str, Changes] = MappingProxyType({})  # a value of vmap's is no tensor to others

    def __init__(self, backbones: Sequence[nn.Module]) -> None:
        check_alike(backbones)
        self.cells = len(backbones)
        self._one, *_ = plain = [copy.deepcopy(backbone) for backbone in backbones]
        self._dropouts: dict[str, tuple[_GivenMask, Masks]] = {}
        for name, layer in list(self._one.named_modules()):
            if not isinstance(layer, StreamDropout):
                continue
            if not name:
                raise UnpackableError("it is itself a dropout")
            streams = [module.get_submodule(name) for module in plain]
            masks = Masks([stream for stream in streams if isinstance(stream, StreamDropout)])
            for module in plain:
                module.set_submodule(name, _GivenMask(layer).train(module.training))
            given = self._one.get_submodule(name)
            assert isinstance(given, _GivenMask)
            self._dropouts[name] = (given, masks)
        self._parameters = _stacked([dict(one.named_parameters()) for one in plain])
        self._buffers = _stacked([dict(one.named_buffers()) for one in plain])
        self._images: torch.Size | None = None

    def train(self, mode: bool = True) -> None:
        """Set the mode."""
        self._one.train(mode)

    def stacked(self) -> dict[str, Tensor]:
        """The parameters and buffers by the backbone's names: each those of the K cells."""
        masks = {f"{name}.mask" for name in self._dropouts}
        stacked = {**self._parameters, **self._buffers}
        return {name: value for name, value in stacked.items() if name not in masks}

    def __call__(self, images: Tensor, *, shared: bool = False) -> Tensor:
        """Features [K, B, D] of each cell's images [B, K·C, H, W], or of shared ones."""
        if not shared:
            images = images.unflatten(1, (self.cells, -1))  # [B, K, C, H, W]
        if self._one.training and self._dropouts:
            self._take_masks(images if shared else images[:, 0])
        called = vmap(self._call_one, in_dims=(0, 0, None if shared else 1), randomness="error")
        try:
            features: Tensor = called(self._parameters, self._buffers, images)
        except RuntimeError as error:
            if "randomness" in str(error):
                raise UnpackableError(DRAWS.format(what="its forward")) from None
            raise
        return features

    def _call_one(
        self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], images: Tensor
    ) -> Tensor:
        features: Tensor = functional_call(self._one, (parameters, buffers), (images,))
        return features

    def _take_masks(self, example: Tensor) -> None:
        if self._images != example.shape:
            with torch.no_grad():
                self._one(example)  # each dropout learns the shape of its input
            self._images = example.shape
        for name, (given, masks) in self._dropouts.items():
            self._buffers[f"{name}.mask"] = masks.take(
                example, given.shape, lambda drawn: drawn.movedim(0, 1).contiguous()
            )


def _stacked(values: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Leaves [K, …] of the K values of each name.

    torch's own `stack_module_state` wants modules of one class, while a factory that defines its
    class inside makes another one at each call. `check_alike` has compared what matters.
    """
    return {
        name: torch.stack([one[name].detach() for one in values]).requires_grad_(
            first.requires_grad
        )
        for name, first in values[0].items()
    }
