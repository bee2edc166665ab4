"""Kept features: an image passes each frozen backbone once, and every readout uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from augbench.batching.materials import Labelled
from augbench.packed import side_by_side
from augbench.protocol.inputs import network_inputs

__all__ = ["Extractor", "OneByOne", "Predict", "features_of", "outputs_of"]

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
        self.cells, self._backbones = len(backbones), backbones

    def __call__(self, images: Tensor, *, shared: bool = False) -> Tensor:
        """Features [K, B, D]."""
        own = [images] * self.cells if shared else images.chunk(self.cells, dim=1)
        pairs = zip(self._backbones, own, strict=True)
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


@torch.no_grad()
def outputs_of(
    extractor: Extractor,
    members: Sequence[int],
    images: Labelled,
    *,
    kept: Sequence[Predict] = (),
    snapshots: Sequence[Predict] = (),
) -> tuple[list[Tensor], list[list[tuple[float, float]]]]:
    """Measure readouts of the cells `members` on images that all cells share, in one pass.

    Returns the outputs [K, N, classes] of those that are `kept`, and each cell's (loss, accuracy)
    for each of `snapshots`, whose outputs are not.
    """
    device, count = images.labels.device, len(images)
    chosen = torch.tensor(members, device=device)
    all_of_them = list(members) == list(range(extractor.cells))
    outputs: list[Tensor] = []
    sums = torch.zeros(len(snapshots), 2, len(members), dtype=torch.float64, device=device)
    for start, features in features_of(extractor, [images.images], [0] * extractor.cells):
        features = features if all_of_them else features[chosen]
        end = start + features.shape[1]
        labels = images.labels[start:end].expand(len(members), -1)  # [K, n]
        for n, predict in enumerate(kept):
            made = predict(features)  # [K, n, classes]
            if start == 0:
                outputs.append(made.new_empty(len(members), count, made.shape[2]))
            outputs[n][:, start:end] = made
        for predict, total in zip(snapshots, sums, strict=True):
            log_probabilities = predict(features)
            total[0] -= log_probabilities.gather(2, labels[..., None]).double().sum((1, 2))
            total[1] += (log_probabilities.argmax(2) == labels).double().sum(1)
    measured = [
        list(zip(loss, right, strict=True)) for loss, right in (sums / count).cpu().tolist()
    ]
    return outputs, measured
