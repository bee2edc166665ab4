"""Finetuning on kept features: an image passes each frozen backbone once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from augbench.packed import Heads, side_by_side
from augbench.protocol.batches import draw_batches
from augbench.protocol.inputs import network_inputs
from augbench.protocol.streams import Role, cell_stream
from augbench.protocol.study import Cell
from augbench.training.contract import Progress
from augbench.training.materials import Labelled, Workshop, once_a_seed
from augbench.training.recording import Recorder, hits

__all__ = ["Extractor", "OneByOne", "features_of", "finetune_heads", "outputs_of"]

_IMAGES_AT_ONCE = {"cpu": 512, "cuda": 2**16}  # over all cells of a pack: bounds the memory
_OF_A_CELL = {"cpu": 64, "cuda": 2**16}  # at most: bounds what the kernels touch in turn
_ROUND = 8  # the kernels take so many images at a time
_BLOCK = 100  # steps whose losses are computed together


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


def finetune_heads(
    cells: Sequence[Cell],
    heads: Heads,
    features: Tensor,
    labels: Tensor,
    images: int,
    workshop: Workshop,
    test_every: int,
    progress: Progress,
) -> tuple[Recorder, list[tuple[int, Heads]]]:
    """Train the heads of K cells on the first `images` of features [K, N, D], labels [K, N].

    Also returns copies of the heads after every `test_every` steps, to be measured together.
    """
    settings, classes = cells[0].settings, len(cells[0].finetune.classes)
    count, stride, width = features.shape

    def order(cell: Cell) -> np.ndarray:
        rng = cell_stream(cell, Role.FINETUNE_ORDER)
        return draw_batches(images, settings.batch_size, settings.finetune_steps, rng)

    batches = np.stack(once_a_seed(cells, order), axis=1)  # [steps, K, B]
    rows = torch.from_numpy(batches + np.arange(count)[:, None] * stride).to(features.device)
    steps, _, batch = rows.shape
    features, labels = features.view(-1, width), labels.reshape(-1)  # [K·N, D], [K·N]
    recorder, snapshots = Recorder(), []
    for start in range(0, steps, _BLOCK):
        block = rows[start : start + _BLOCK].flatten(1)  # [S, K·B]
        targets = nn.functional.one_hot(labels[block], classes).float()
        targets = targets.view(-1, count, batch, classes)  # [S, K, B, classes]
        outputs = torch.empty_like(targets)
        for s, (chosen, wanted) in enumerate(zip(block, targets, strict=True)):
            x = features.index_select(0, chosen).view(count, batch, width)
            outputs[s] = heads.descend(x, wanted, settings.learning_rate)
            if test_every and (start + s + 1) % test_every == 0:
                snapshots.append((start + s + 1, heads.clone()))
        recorder.block(-(targets * outputs).sum(-1).mean(-1), hits(outputs, targets))
        progress(len(block) * count)
    return recorder, snapshots


@torch.no_grad()
def outputs_of(
    extractor: Extractor,
    members: Sequence[int],
    images: Labelled,
    *,
    heads: Sequence[Heads] = (),
    snapshots: Sequence[Heads] = (),
) -> tuple[list[Tensor], list[list[tuple[float, float]]]]:
    """Measure heads of the cells `members` on images that all cells share, in one pass.

    Returns the outputs [K, N, classes] of each of `heads`, and each cell's (loss, accuracy) for
    each of `snapshots`, whose outputs are not kept.
    """
    device, count = images.labels.device, len(images)
    chosen = torch.tensor(members, device=device)
    all_of_them = list(members) == list(range(extractor.cells))
    outputs = [h.weight.new_empty(len(members), count, h.weight.shape[1]) for h in heads]
    sums = torch.zeros(len(snapshots), 2, len(members), dtype=torch.float64, device=device)
    for start, features in features_of(extractor, [images.images], [0] * extractor.cells):
        features = features if all_of_them else features[chosen]
        end = start + features.shape[1]
        labels = images.labels[start:end].expand(len(members), -1)  # [K, n]
        for head, kept in zip(heads, outputs, strict=True):
            kept[:, start:end] = head(features)
        for head, total in zip(snapshots, sums, strict=True):
            log_probabilities = head(features)
            total[0] -= log_probabilities.gather(2, labels[..., None]).double().sum((1, 2))
            total[1] += (log_probabilities.argmax(2) == labels).double().sum(1)
    measured = [
        list(zip(loss, right, strict=True)) for loss, right in (sums / count).cpu().tolist()
    ]
    return outputs, measured
