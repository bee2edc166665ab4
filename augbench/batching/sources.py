"""The sources of K cells' blocks of steps: what cells have in common is drawn and computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from augbench.batching.materials import CellMaterials
from augbench.protocol.augmenting import Augmenter, Rows
from augbench.protocol.batches import draw_batches, draw_partners, partner_rows
from augbench.protocol.inputs import network_inputs
from augbench.protocol.streams import Role, cell_stream
from augbench.protocol.study import Cell

__all__ = ["CommonSources", "Sources"]


@dataclass
class Sources:
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


class CommonSources:
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

    def sources(self, steps: slice) -> Sources:
        """The sources of some steps."""
        chosen = self._batches[:, steps].flatten(1)  # [G, S·B]
        count, device = len(chosen), chosen.device
        places = torch.from_numpy(
            np.stack([partner_rows(own[:, steps]) for own in self._partners.swapaxes(0, 1)], axis=1)
        ).to(device)  # [most − 1, G, S·B]
        images = network_inputs(self._images.index_select(0, chosen.flatten()))
        labels = self._labels.index_select(0, chosen.flatten()).view(count, -1)
        return Sources(
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
