"""Inputs and targets of K cells for a block of steps, drawn as the reference draws them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from augbench.augmentations.contract import Augmentation
from augbench.errors import ContractError, StudyError
from augbench.packed import side_by_side
from augbench.protocol.batches import (
    block_steps,
    draw_batches,
    draw_partners,
    effective_batch_size,
)
from augbench.protocol.inputs import network_inputs
from augbench.protocol.mixing import check_weights, mixed, soft_labels, weights_of
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
    augmentations = [materials.augmentation(cell) for cell in cells]
    rngs = [cell_stream(cell, Role.AUGMENTATION) for cell in cells]
    _check_sources(augmentations, cells[0])
    most = max(augmentation.sources for augmentation in augmentations)
    common = _Common(cells, most, materials)
    block = block_steps(common.batch, shape) if common.batch else 1
    for start in range(0, common.steps, block):
        # [G, S·B, C, H, W] and [G, S·B], most times: of each group of cells
        sources, labels = common.sources(slice(start, start + block))
        mixes, errors = [], {}
        for k, (augmentation, g) in enumerate(zip(augmentations, common.group_of, strict=True)):
            try:
                own = [one[g] for one in sources[: augmentation.sources]]
                mixes.append(_augmented(augmentation, own, rngs[k]))
            except torch.cuda.OutOfMemoryError:
                raise  # nobody's fault
            except Exception as error:
                errors[k] = error
        if errors:
            raise GuiltyCellsError(errors)
        images, shares = zip(*mixes, strict=True)
        weights = _weights(shares, [augmentation.sources for augmentation in augmentations])
        _check(weights, augmentations)
        of_cell = torch.stack([one[common.group_index] for one in labels], dim=-1)
        targets = soft_labels(of_cell, weights, classes)  # [K, S·B, classes]
        yield (
            side_by_side(images, common.batch),
            targets.unflatten(1, (-1, common.batch)).transpose(0, 1),
        )


def _check_sources(augmentations: Sequence[Augmentation], cell: Cell) -> None:
    batch = effective_batch_size(cell.settings.batch_size, cell.pretrain_images)
    errors: dict[int, Exception] = {}
    for k, augmentation in enumerate(augmentations):
        try:
            if cell.pretrain_steps and augmentation.sources > batch:
                raise StudyError(f"needs a batch of at least {augmentation.sources}")
        except Exception as error:
            errors[k] = error
    if errors:
        raise GuiltyCellsError(errors)


class _Common:
    """The images and partners of each group: cells of one seed and size share them."""

    def __init__(self, cells: Sequence[Cell], most: int, materials: CellMaterials) -> None:
        groups = list(dict.fromkeys(map(_group, cells)))
        self.group_of = [groups.index(_group(cell)) for cell in cells]
        ones = [cells[self.group_of.index(g)] for g in range(len(groups))]
        data = [materials.pretrain_set(one) for one in ones]
        self._images = torch.cat([one.images for one in data])  # of all groups
        self._labels = torch.cat([one.labels for one in data])
        device, sizes = self._labels.device, [len(one) for one in data]
        self.group_index = torch.tensor(self.group_of, device=device)
        batches, partners = zip(
            *(_draw(one, size, most, materials) for one, size in zip(ones, sizes, strict=True)),
            strict=True,
        )
        offsets = np.cumsum([0, *sizes[:-1]])[:, None, None]
        # [G, steps, B] positions among the images of all groups, and [most − 1, G, steps, B]
        self._batches = torch.from_numpy(np.stack(batches) + offsets).to(device)
        self._partners = torch.from_numpy(np.stack(partners, axis=1)).to(device)
        _, self.steps, self.batch = self._batches.shape

    def sources(self, steps: slice) -> tuple[list[Tensor], list[Tensor]]:
        """Images [G, S·B, C, H, W] and labels [G, S·B] of each source."""
        anchor = self._batches[:, steps]
        chosen = [anchor] + [anchor.gather(2, one[:, steps]) for one in self._partners]
        count = len(anchor)
        # index_select copies whole images; images[index] copies number by number.
        images = [network_inputs(self._images.index_select(0, index.flatten())) for index in chosen]
        labels = [self._labels.index_select(0, index.flatten()) for index in chosen]
        return (
            [one.unflatten(0, (count, -1)) for one in images],
            [one.view(count, -1) for one in labels],
        )


def _group(cell: Cell) -> tuple[int, int | None]:
    return cell.seed, cell.samples_per_class


def _draw(
    cell: Cell, images: int, most: int, materials: CellMaterials
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the images of each step, [steps, B], and their partners' positions in the batch."""
    batches = draw_batches(
        images, cell.settings.batch_size, cell.pretrain_steps, cell_stream(cell, Role.ORDER)
    )
    rngs = [cell_stream(cell, Role.PARTNERS, k) for k in range(most - 1)]
    # The first partners are the same for every augmentation: each has a stream of its own.
    steps, batch = batches.shape
    return batches, draw_partners(most, steps, batch, rngs)


def _augmented(
    augmentation: Augmentation, images: Sequence[Tensor], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    before = [image._version for image in images]
    image, shares = mixed(augmentation, images, rng)
    if before != [image._version for image in images]:
        # Cells share their sources: what one changed, the others would see.
        raise ContractError(f"{type(augmentation).__name__} changes its inputs")
    return image, shares


def _weights(shares: Sequence[Tensor], sources: Sequence[int]) -> Tensor:
    """The weights [K, N, most sources] of K augmentations, of `sources` each; see `mixed`."""
    weights = shares[0].new_zeros(len(shares), len(shares[0]), max(sources))
    for count in set(sources):
        members = [k for k, one in enumerate(sources) if one == count]
        weights[members, :, :count] = weights_of(torch.stack([shares[k] for k in members]), count)
    return weights


def _check(weights: Tensor, augmentations: Sequence[Augmentation]) -> None:
    """Check the weights of all cells at once, and of each only if something is wrong."""
    try:
        check_weights(weights, "")
    except ContractError:
        errors: dict[int, Exception] = {}
        for k, (own, augmentation) in enumerate(zip(weights, augmentations, strict=True)):
            try:
                check_weights(own, type(augmentation).__name__)
            except ContractError as error:
                errors[k] = error
        raise GuiltyCellsError(errors) from None


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
