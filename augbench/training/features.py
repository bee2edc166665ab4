"""Kept features: an image passes each frozen backbone once, and every readout uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from augbench.batching.materials import Labelled
from augbench.packed import side_by_side
from augbench.protocol.inputs import network_inputs

__all__ = ["Extractor", "OneByOne", "Predict", "Reader", "features_of", "outputs_of"]

_IMAGES_AT_ONCE = {"cpu": 512, "cuda": 2**16}  # over all cells of a pack: bounds the memory
_OF_A_CELL = {"cpu": 64, "cuda": 2**16}  # at most: bounds what the kernels touch in turn
_ROUND = 8  # the kernels take so many images at a time


Predict = Callable[[Tensor], Tensor]
"""From features [K, n, D] to log-probabilities [K, n, classes]."""


class Extractor(Protocol):
    """K frozen backbones."""

    cells: int

    def __call__(self, images: Tensor, *, shared: bool = False) -> Tensor:
        """Features [K, B, D] of each cell's images [B, K·C, H, W], or of shared [B, C, H, W]."""
        ...


class OneByOne:
    """K frozen backbones that could not be packed, with the same interface."""

    def __init__(self, backbones: Sequence[nn.Module]) -> None:
        self.cells, self.modules = len(backbones), backbones

    def __call__(self, images: Tensor, *, shared: bool = False) -> Tensor:
        """Features [K, B, D]."""
        own = [images] * self.cells if shared else images.chunk(self.cells, dim=1)
        pairs = zip(self.modules, own, strict=True)
        return torch.stack([backbone(x.contiguous()) for backbone, x in pairs])


@torch.no_grad()
def features_of(
    extractor: Extractor, images: Sequence[Tensor], of_cell: Sequence[int]
) -> Iterator[tuple[int, Tensor]]:
    """Yield (start, features [K, n, D]) of one chunk of images after the other.

    `images` are one or more sets uint8 [N, C, H, W] of one size; cell k sees that of number
    `of_cell[k]`. With a single set, its images are shared by all cells.
    """
    kind = "cpu" if images[0].device.type == "cpu" else "cuda"
    step = min(_OF_A_CELL[kind], _IMAGES_AT_ONCE[kind] // extractor.cells)
    step, start = max(_ROUND, step // _ROUND * _ROUND), 0
    while start < len(images[0]):
        chunks = [network_inputs(one[start : start + step]) for one in images]
        shared = len(chunks) == 1
        try:
            (own,) = (
                chunks if shared else side_by_side([chunks[g] for g in of_cell], len(chunks[0]))
            )
            features = extractor(own, shared=shared)
        except torch.cuda.OutOfMemoryError:
            if step == _ROUND:
                raise
            step = max(_ROUND, step // 2 // _ROUND * _ROUND)
            continue
        yield start, features
        start += step


@dataclass(frozen=True)
class Reader:
    """Fitted readouts of the cells `members` among the backbones, in their order."""

    members: Sequence[int]
    predict: Predict


@torch.no_grad()
def outputs_of(
    extractor: Extractor,
    images: Sequence[Labelled],
    of_cell: Sequence[int],
    *,
    kept: Sequence[Reader] = (),
    snapshots: Sequence[Reader] = (),
) -> tuple[list[Tensor], list[list[tuple[float, float]]]]:
    """Measure readouts of frozen backbones in one pass over their images.

    `images` are one set that all backbones share, or several of one size, of which backbone k is
    shown that of number `of_cell[k]`. Returns the outputs [K, N, classes] of those that are `kept`,
    and for each of `snapshots`, whose outputs are not, the (loss, accuracy) of each of its members.
    """
    device, count = images[0].labels.device, len(images[0])
    all_labels = torch.stack([one.labels for one in images])[list(of_cell)]  # [backbones, N]
    everyone = list(range(extractor.cells))
    chosen = {
        id(one): None if list(one.members) == everyone else torch.tensor(one.members, device=device)
        for one in (*kept, *snapshots)
    }
    outputs: list[Tensor] = []
    sums = [
        torch.zeros(2, len(one.members), dtype=torch.float64, device=device) for one in snapshots
    ]
    for start, features in features_of(extractor, [one.images for one in images], of_cell):
        end = start + features.shape[1]

        def predicted(one: Reader, features: Tensor = features) -> Tensor:
            rows = chosen[id(one)]
            return one.predict(features if rows is None else features[rows])  # [K, n, classes]

        for n, reader in enumerate(kept):
            made = predicted(reader)
            if start == 0:
                outputs.append(made.new_empty(len(made), count, made.shape[2]))
            outputs[n][:, start:end] = made
        for reader, total in zip(snapshots, sums, strict=True):
            log_probabilities = predicted(reader)
            labels = all_labels[list(reader.members), start:end]  # [K, n]
            total[0] -= log_probabilities.gather(2, labels[..., None]).double().sum((1, 2))
            total[1] += (log_probabilities.argmax(2) == labels).double().sum(1)
    measured = [
        list(zip(loss, right, strict=True))
        for loss, right in ((total / count).cpu().tolist() for total in sums)
    ]
    return outputs, measured
