"""Inputs and targets of K cells for a block of steps, drawn as the reference draws them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from augbench.errors import ContractError, StudyError
from augbench.packed import side_by_side
from augbench.protocol.augmenting import Augmenter, Mixture, Rows
from augbench.protocol.batches import (
    block_steps,
    draw_batches,
    draw_partners,
    effective_batch_size,
    partner_rows,
    whole_blocks,
)
from augbench.protocol.inputs import network_inputs
from augbench.protocol.mixing import check_weights, soft_labels, weights_of
from augbench.protocol.streams import Role, cell_stream
from augbench.protocol.study import Cell
from augbench.training.materials import CellMaterials

__all__ = ["GuiltyCellsError", "blocks"]


class GuiltyCellsError(Exception):
    """Some of a pack's augmentations failed: `errors` tells whose, by the number of the cell."""

    def __init__(self, errors: dict[int, Exception]) -> None:
        super().__init__("; ".join(map(str, errors.values())))
        self.errors = errors


def blocks(cells: Sequence[Cell], materials: CellMaterials) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield a block's inputs [S, B, K·C, H, W] and soft labels [S, K, B, classes], to the end.

    The cells can be trained together (`planning.trained_alike`). Raises `GuiltyCellsError` where
    an augmentation raises, or returns what its contract forbids.
    """
    drawn = _blocks(cells, materials)
    return _beside_the_steps(drawn, materials.device) if materials.device.type == "cuda" else drawn


def _blocks(cells: Sequence[Cell], materials: CellMaterials) -> Iterator[tuple[Tensor, Tensor]]:
    shape, classes = cells[0].pretrain.image_shape, len(cells[0].pretrain.classes)
    augmenters = [materials.augmenter(cell) for cell in cells]
    _check_sources(augmenters, cells[0])
    batch = effective_batch_size(cells[0].settings.batch_size, cells[0].pretrain_images)
    block = block_steps(batch, shape) if batch else 1
    most = max(augmenter.sources for augmenter in augmenters)
    common = _Common(cells, most, whole_blocks(cells[0].pretrain_steps, block), materials)
    for start in range(0, common.steps, block):
        sources = common.sources(slice(start, start + block))
        mixtures, errors = [], {}
        for k, (augmenter, g) in enumerate(zip(augmenters, common.group_of, strict=True)):
            rows = Rows(
                [labels[g] for labels in sources.labels[: augmenter.sources]],
                classes,
                (start, common.batch, common.steps),
            )
            try:
                own = sources.ahead_of_mixer(g, augmenter, rows)
                mixtures.append(augmenter.mix(own, rows))
            except torch.cuda.OutOfMemoryError:
                raise  # nobody's fault
            except Exception as error:
                errors[k] = error
        if errors:
            raise GuiltyCellsError(errors)
        targets = _targets(mixtures, augmenters, sources.labels, common.group_index, classes)
        inputs = side_by_side([mixture.images for mixture in mixtures], common.batch)
        targets = targets.unflatten(1, (-1, common.batch)).transpose(0, 1)
        yield inputs[: common.steps - start], targets[: common.steps - start]


def _check_sources(augmenters: Sequence[Augmenter], cell: Cell) -> None:
    batch = effective_batch_size(cell.settings.batch_size, cell.pretrain_images)
    errors: dict[int, Exception] = {}
    for k, augmenter in enumerate(augmenters):
        if cell.pretrain_steps and augmenter.sources > batch:
            errors[k] = StudyError(f"needs a batch of at least {augmenter.sources}")
    if errors:
        raise GuiltyCellsError(errors)


@dataclass
class _Sources:
    """The sources of a block, for each of G groups of cells.

    `anchors` are [G, S·B, C, H, W], `labels` [G, S·B] of each source; `places` [K − 1, G, S·B] are
    the rows at which partners stand.
    """

    anchors: Tensor
    labels: list[Tensor]
    places: Tensor
    _done: dict[object, Tensor | Exception] = field(default_factory=dict)
    _partners: dict[object, Tensor] = field(default_factory=dict)

    def ahead_of_mixer(self, g: int, augmenter: Augmenter, rows: Rows) -> list[Tensor]:
        """The sources of a cell's mixer, each [S·B, C, H, W].

        What stages ahead of the mixer give, and the partners picked from it, is computed once for
        all cells of a group that have these stages in common, as those on one base have.
        """
        images = self.anchors[g]
        known: tuple[object, ...] = (g,)
        for number, stage in enumerate(augmenter.ahead):
            known = (*known, stage)
            if known not in self._done:
                try:
                    only = slice(number, number + 1)
                    self._done[known] = augmenter.ahead_of_mixer(images, rows, stages=only)
                except torch.cuda.OutOfMemoryError:
                    raise
                except Exception as error:
                    self._done[known] = error  # of every cell that has this stage
            done = self._done[known]
            if isinstance(done, Exception):
                raise done
            images = done
        return [images, *(self._picked(k, g, known, images) for k in range(augmenter.sources - 1))]

    def _picked(self, k: int, g: int, known: tuple[object, ...], images: Tensor) -> Tensor:
        """The k-th partners, picked from images of group g that `known` stages gave."""
        key = (k, *known)
        if key not in self._partners:
            # index_select copies whole images; images[index] copies number by number.
            self._partners[key] = images.index_select(0, self.places[k, g])
        return self._partners[key]


class _Common:
    """The images and partners of each group: cells of one seed and size share them."""

    def __init__(
        self, cells: Sequence[Cell], most: int, drawn: int, materials: CellMaterials
    ) -> None:
        groups = list(dict.fromkeys(map(_group, cells)))
        self.group_of = [groups.index(_group(cell)) for cell in cells]
        ones = [cells[self.group_of.index(g)] for g in range(len(groups))]
        data = [materials.pretrain_set(one) for one in ones]
        self._images = torch.cat([one.images for one in data])  # of all groups
        self._labels = torch.cat([one.labels for one in data])
        device, sizes = self._labels.device, [len(one) for one in data]
        self.group_index = torch.tensor(self.group_of, device=device)
        batches, partners = zip(
            *(_draw(one, size, most, drawn) for one, size in zip(ones, sizes, strict=True)),
            strict=True,
        )
        offsets = np.cumsum([0, *sizes[:-1]])[:, None, None]
        # [G, drawn, B] positions among the images of all groups, and [most − 1, G, drawn, B]
        self._batches = torch.from_numpy(np.stack(batches) + offsets).to(device)
        self._partners = np.stack(partners, axis=1)
        self.steps, self.batch = cells[0].pretrain_steps, self._batches.shape[2]

    def sources(self, steps: slice) -> _Sources:
        """The sources of some steps."""
        chosen = self._batches[:, steps].flatten(1)  # [G, S·B]
        count, device = len(chosen), chosen.device
        places = torch.from_numpy(
            np.stack([partner_rows(own[:, steps]) for own in self._partners.swapaxes(0, 1)], axis=1)
        ).to(device)  # [most − 1, G, S·B]
        images = network_inputs(self._images.index_select(0, chosen.flatten()))
        labels = self._labels.index_select(0, chosen.flatten()).view(count, -1)
        return _Sources(
            images.unflatten(0, (count, -1)),
            [labels, *(labels.gather(1, one) for one in places)],
            places,
        )


def _group(cell: Cell) -> tuple[int, int | None]:
    return cell.seed, cell.samples_per_class


def _draw(cell: Cell, images: int, most: int, drawn: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the images of each step, [drawn, B], and their partners' positions in the batch."""
    batches = draw_batches(images, cell.settings.batch_size, drawn, cell_stream(cell, Role.ORDER))
    rngs = [cell_stream(cell, Role.PARTNERS, k) for k in range(most - 1)]
    # The first partners are the same for every augmentation: each has a stream of its own.
    steps, batch = batches.shape
    return batches, draw_partners(most, steps, batch, rngs)


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
        errors: dict[int, Exception] = {}
        for k, (mixture, augmenter) in enumerate(zip(mixtures, augmenters, strict=True)):
            try:
                mixture.check(augmenter.name)
            except ContractError as error:
                errors[k] = error
        raise GuiltyCellsError(errors) from None
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
