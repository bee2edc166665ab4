"""The packing rules of convolutions: cells become groups; see `registry.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from augbench.packed import ops
from augbench.packed.ops.columns import convolve
from augbench.packed.rules.registry import UnpackableError, rule, stack_into
from augbench.packed.values import is_map

__all__ = ["WideConv2d", "pair"]


def pair(size: Any) -> tuple[int, int]:
    """A size as torch's layers are given it, one number or two, as (height, width)."""
    height, width = (size, size) if isinstance(size, int) else size
    return height, width


class WideConv2d(nn.Conv2d):
    """K convolutions as the groups of one; of images that all cells share, a single one."""

    def __init__(self, layers: Sequence[nn.Conv2d]) -> None:
        super().__init__(**_widened(layers))
        self.cells = len(layers)
        # Images that all cells share pass one convolution of a single group, whose outputs are
        # those of all cells. Groups of a cell's own would each need their part of the images.
        self.takes_shared = layers[0].groups == 1
        stack_into(self, layers)

    def reset_parameters(self) -> None:
        """Draw nothing: the numbers are those of the layers."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, K·C, H, W], or [B, C, H, W] shared by the cells → [B, K·C', H', W']."""
        _expect_map(x, "Conv2d")
        y = self.map_of(x, self.weight, self.bias)
        if y is not None:
            return y
        on_a_gpu = ops.prefers_batch_last(x) and not ops.kernels_serve(x)
        if on_a_gpu and self.padding_mode == "zeros" and self.padding != "same":
            dilation = pair(self.dilation)
            return convolve(x, self.weight, self.bias, dilation=dilation, **self._how(x))
        # Torch's own forward reads the attribute, which is another one for shared images.
        groups, self.groups = self.groups, self._groups(x)
        try:
            return super().forward(ops.channels_last(x))
        finally:
            self.groups = groups

    def map_of(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        *,
        pool: tuple[int, int] | None = None,
        shortcut: Tensor | None = None,
        rectify: bool = False,
    ) -> Tensor | None:
        """As `ops.convolve`: None if the kernels cannot do it."""
        if not self._known_to_kernels:
            return None
        return ops.convolve(
            *(x, weight, bias), pool=pool, shortcut=shortcut, rectify=rectify, **self._how(x)
        )

    def and_pass(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The convolution, and the map again; see `ops.convolve_and_pass`."""
        both = None
        if self._known_to_kernels:
            both = ops.convolve_and_pass(x, self.weight, self.bias, **self._how(x))
        return (self(x), x) if both is None else both

    @property
    def _known_to_kernels(self) -> bool:
        return self.padding_mode == "zeros" and self.dilation == (1, 1) and self.padding != "same"

    def _how(self, x: Tensor) -> dict[str, Any]:
        """The arguments that both kinds of convolution of batch-last maps share."""
        padding = (0, 0) if self.padding == "valid" else pair(self.padding)
        return {"stride": pair(self.stride), "padding": padding, "groups": self._groups(x)}

    def _groups(self, x: Tensor) -> int:
        return self.groups if x.shape[1] == self.in_channels else 1


@rule(nn.Conv2d)
def conv2d(layers: Sequence[nn.Conv2d]) -> nn.Module:
    """Cells become groups."""
    return WideConv2d(layers)


class WideConvTranspose2d(nn.ConvTranspose2d):
    """K transposed convolutions as the groups of one."""

    def __init__(self, layers: Sequence[nn.ConvTranspose2d]) -> None:
        padding: Any = layers[0].output_padding
        super().__init__(output_padding=padding, **_widened(layers))
        stack_into(self, layers)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """[B, K·C, H, W] → [B, K·C', H', W']."""
        _expect_map(x, "ConvTranspose2d")
        return super().forward(ops.channels_last(x), output_size)


@rule(nn.ConvTranspose2d)
def conv_transpose2d(layers: Sequence[nn.ConvTranspose2d]) -> nn.Module:
    """Cells become groups."""
    return WideConvTranspose2d(layers)


def _widened(layers: Sequence[nn.Conv2d] | Sequence[nn.ConvTranspose2d]) -> dict[str, Any]:
    """The arguments of the one convolution that has the layers as its groups."""
    one, cells = layers[0], len(layers)
    same = ("kernel_size", "stride", "padding", "dilation", "padding_mode")
    return {
        "in_channels": cells * one.in_channels,
        "out_channels": cells * one.out_channels,
        "groups": cells * one.groups,
        "bias": one.bias is not None,
        **{name: getattr(one, name) for name in same},
    }


def _expect_map(x: Any, layer: str) -> None:
    if not is_map(x):
        raise UnpackableError(f"its {layer} is not given [B, C, H, W]")
