"""Inputs and targets of K cells for a block of steps, drawn as the reference draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from augbench.batching.materials import CellMaterials
from augbench.batching.sources import CommonSources, Sources
from augbench.errors import ContractError, StudyError
from augbench.packed import side_by_side
from augbench.protocol.augmenting import Augmenter, Mixture, Rows
from augbench.protocol.batches import block_steps, effective_batch_size, whole_blocks
from augbench.protocol.mixing import check_weights, soft_labels, weights_of
from augbench.protocol.study import Cell

__all__ = ["Drawn", "GuiltyCellsError", "Step", "blocks", "of_each_cell", "steps_with_gradients"]

_T = TypeVar("_T")


class GuiltyCellsError(Exception):
    """Some of a pack's augmentations failed: `errors` tells whose, by the number of the cell."""

    def __init__(self, errors: dict[int, Exception]) -> None:
        super().__init__("; ".join(map(str, errors.values())))
        self.errors = errors


def of_each_cell(make: Callable[[int], _T], cells: int) -> list[_T]:
    """Call `make` with the number of each cell; raises `GuiltyCellsError` for those that raise."""
    made, errors = list[_T](), dict[int, Exception]()
    for k in range(cells):
        try:
            made.append(make(k))
        except torch.cuda.OutOfMemoryError:
            raise  # nobody's fault
        except Exception as error:
            errors[k] = error
    if errors:
        raise GuiltyCellsError(errors)
    return made


def blocks(cells: Sequence[Cell], materials: CellMaterials) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield a block's inputs [S, B, K·C, H, W] and soft labels [S, K, B, classes], to the end.

    The cells can be trained together (`packs.trained_alike`), and need nothing of the network.
    Raises `GuiltyCellsError` where an augmentation raises, or returns what its contract forbids.
    """
    drawn = _blocks(Drawn(cells, materials))
    return _beside_the_steps(drawn, materials.device) if materials.device.type == "cuda" else drawn


def steps_with_gradients(
    cells: Sequence[Cell],
    materials: CellMaterials,
    gradients_of: Callable[[Tensor, Tensor], Tensor],
) -> Iterator[tuple[Tensor, Tensor]]:
    """Like `blocks`, for augmentations that need gradients: blocks of one step each.

    `gradients_of` takes the anchors [B, K·C, H, W] of a step, and their labels [K, B], and returns
    the gradient [K, B, C, H, W] of each image's own loss with respect to its pixels. It is called
    when a step is asked for: the network then stands as it does before that step.
    """
    drawn = Drawn(cells, materials)
    for step in drawn.steps():
        (anchors,) = side_by_side([one.sources[0] for one in step.cells], drawn.batch)
        slopes = gradients_of(anchors, torch.stack([one.rows.labels[0] for one in step.cells]))

        def mix(k: int, step: Step = step, slopes: Tensor = slopes) -> Mixture:
            one, anchor = step.cells[k], slopes[k]
            # Every source is an image of this batch: one pass has the gradients of them all.
            gradients = (anchor, *(anchor[other] for other in one.partners))
            return drawn.augmenters[k].mix(one.sources, replace(one.rows, gradients=gradients))

        mixtures = of_each_cell(mix, len(cells))
        targets = drawn.targets(mixtures, step.labels)
        yield side_by_side([mixture.images for mixture in mixtures], drawn.batch), targets[None]


@dataclass(frozen=True)
class CellStep:
    """One cell's sources of a step, each [B, C, H, W], and what else is known of their rows.

    `partners` [sources − 1, B] are the positions in the batch at which the further ones stand.
    """

    sources: Sequence[Tensor]
    rows: Rows
    partners: Tensor


@dataclass(frozen=True)
class Step:
    """A step of K cells; `labels` [G, B] of each source are those of the groups of cells."""

    cells: Sequence[CellStep]
    labels: Sequence[Tensor]


class Drawn:
    """The augmenters of K cells, and what they are given."""

    def __init__(self, cells: Sequence[Cell], materials: CellMaterials) -> None:
        shape, self.classes = cells[0].pretrain.image_shape, len(cells[0].pretrain.classes)
        self.augmenters = [materials.augmenter(cell) for cell in cells]
        _check_sources(self.augmenters, cells[0])
        self.batch = effective_batch_size(cells[0].settings.batch_size, cells[0].pretrain_images)
        self.block = block_steps(self.batch, shape) if self.batch else 1
        most = max(augmenter.sources for augmenter in self.augmenters)
        steps = whole_blocks(cells[0].pretrain_steps, self.block)
        self.common = CommonSources(cells, most, steps, materials)

    def blocks(self) -> Iterator[tuple[int, Sources]]:
        """Yield the number of a block's first step, and its sources."""
        for start in range(0, self.common.steps, self.block):
            yield start, self.common.sources(slice(start, start + self.block))

    def given(self, k: int, start: int, sources: Sources) -> tuple[list[Tensor], Rows]:
        """The sources of cell k's mixer in a block, each [S·B, C, H, W], and their rows."""
        g, augmenter = self.common.group_of[k], self.augmenters[k]
        rows = Rows(
            [labels[g] for labels in sources.labels[: augmenter.sources]],
            self.classes,
            (start, self.batch, self.common.steps),
        )
        return sources.ahead_of_mixer(g, augmenter, rows), rows

    def steps(self) -> Iterator[Step]:
        """Yield each step by itself, for what needs the network in training."""
        for start, sources in self.blocks():
            own_steps = partial(self._by_step, start=start, sources=sources)
            given = of_each_cell(own_steps, len(self.augmenters))
            labels = zip(*(one.split(self.batch, dim=1) for one in sources.labels), strict=True)
            # A last block is drawn whole, and then cut.
            left = range(self.common.steps - start)
            for _, of_groups, *own in zip(left, labels, *given, strict=False):
                yield Step(own, of_groups)

    def _by_step(self, k: int, *, start: int, sources: Sources) -> list[CellStep]:
        own, rows = self.given(k, start, sources)
        places = sources.places[: len(own) - 1, self.common.group_of[k]] % self.batch
        pieces = zip(*(one.split(self.batch) for one in own), strict=True)
        partners = places.split(self.batch, dim=1)
        return list(map(CellStep, pieces, rows.by_step(), partners))

    def targets(self, mixtures: Sequence[Mixture], labels: Sequence[Tensor]) -> Tensor:
        """The class probabilities [K, N, classes] of all cells, checked."""
        return _targets(mixtures, self.augmenters, labels, self.common.group_index, self.classes)


def _blocks(drawn: Drawn) -> Iterator[tuple[Tensor, Tensor]]:
    for start, sources in drawn.blocks():

        def mix(k: int, start: int = start, sources: Sources = sources) -> Mixture:
            return drawn.augmenters[k].mix(*drawn.given(k, start, sources))

        mixtures = of_each_cell(mix, len(drawn.augmenters))
        targets = drawn.targets(mixtures, sources.labels)
        inputs = side_by_side([mixture.images for mixture in mixtures], drawn.batch)
        targets = targets.unflatten(1, (-1, drawn.batch)).transpose(0, 1)
        left = drawn.common.steps - start
        yield inputs[:left], targets[:left]


def _check_sources(augmenters: Sequence[Augmenter], cell: Cell) -> None:
    batch = effective_batch_size(cell.settings.batch_size, cell.pretrain_images)

    def check(k: int) -> None:
        if cell.pretrain_steps and augmenters[k].sources > batch:
            raise StudyError(f"needs a batch of at least {augmenters[k].sources}")

    of_each_cell(check, len(augmenters))


def _targets(
    mixtures: Sequence[Mixture],
    augmenters: Sequence[Augmenter],
    labels: Sequence[Tensor],
    group_of: Tensor,
    classes: int,
) -> Tensor:
    """The class probabilities [K, N, classes] of all cells, checked."""
    weights = _weights(mixtures)
    given = {k: one.distribution for k, one in enumerate(mixtures) if one.distribution is not None}
    try:
        check_weights(weights, "")
        for distribution in given.values():
            check_weights(distribution, "")
    except ContractError:
        of_each_cell(lambda k: mixtures[k].check(augmenters[k].name), len(mixtures))
        raise  # which no cell's own check finds, and is nobody's then
    of_cell = torch.stack([one[group_of] for one in labels[: weights.shape[2]]], dim=-1)
    targets = soft_labels(of_cell, weights, classes)
    for k, distribution in given.items():
        targets[k] = distribution
    return targets


def _weights(mixtures: Sequence[Mixture]) -> Tensor:
    """The weights [K, N, most sources] of K mixtures, zero for sources that one does not have."""
    most = max(mixture.sources for mixture in mixtures)
    first = mixtures[0].shares
    weights = first.new_zeros(len(mixtures), len(first), most)
    for count in {mixture.sources for mixture in mixtures}:
        members = [k for k, one in enumerate(mixtures) if one.sources == count]
        shares = torch.stack([mixtures[k].shares for k in members])
        weights[members, :, :count] = weights_of(shares, count)
    return weights


def _beside_the_steps(
    drawn: Iterator[tuple[Tensor, Tensor]], device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Prepare blocks on a stream of their own, while the GPU still does the steps before.

    Whatever an augmentation copies to the GPU or reads back would else wait for those.
    """
    # Of high priority: it has little to do, and the next steps wait for it.
    own, steps = torch.cuda.Stream(device, priority=-1), torch.cuda.current_stream(device)
    own.wait_stream(steps)
    while True:
        with torch.cuda.stream(own):
            block = next(drawn, None)
        if block is None:
            return
        steps.wait_stream(own)
        for value in block:
            value.record_stream(steps)  # its memory is not free again before they are done
        yield block
