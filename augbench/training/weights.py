"""The trained weights of each cell of a pack, to go on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from augbench.batching.kept_backbones import named_tensors
from augbench.packed import Packed
from augbench.training.features import OneByOne

__all__ = ["load_weights", "weights_of"]


def weights_of(
    backbones: Packed | OneByOne, like: nn.Module, members: Sequence[int]
) -> list[dict[str, Tensor]]:
    """Copies of the parameters and buffers of some backbones, by their names in `like`.

    What `like` has under two names stands under the first of them. What no forward uses is left
    out.
    """
    if isinstance(backbones, OneByOne):
        return [_copied(named_tensors(backbones.modules[k])) for k in members]
    own = {name: value.shape for name, value in named_tensors(like).items()}
    of_cells = {
        # A counter has one value for all cells.
        name: value.expand(backbones.cells)
        if value.ndim == 0
        else value.reshape(backbones.cells, *own[name])
        for name, value in backbones.stacked().items()
    }
    return [_copied({name: value[k] for name, value in of_cells.items()}) for k in members]


@torch.no_grad()
def load_weights(backbone: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """Give a backbone those of its weights that are named; returns it."""
    for name, value in named_tensors(backbone).items():
        if name in weights:
            value.copy_(weights[name])
    return backbone


def _copied(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in values.items()}
