"""What K cells see in a block of steps: drawn as the reference draws, laid out for one network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from augbench.augmentations.contract import Augmentation
from augbench.engines.planes import side_by_side
from augbench.engines.workshop import Labelled, Workshop
from augbench.errors import ContractError
from augbench.protocol.batches import block_steps, draw_batches, draw_partners
from augbench.protocol.mixing import augment, pixels, soft_labels
from augbench.protocol.streams import Role
from augbench.protocol.study import Cell

__all__ = ["blocks"]


@dataclass
class _Draws:
    """What cells of one seed and size have in common: only their augmentations differ."""

    data: Labelled
    batches: Tensor  # [steps, B]
    partners: Tensor  # [most sources − 1, steps, B]: the first ones are the same for every method

    def sources(self, steps: slice, count: int) -> list[tuple[Tensor, Tensor]]:
        """Images [S·B, C, H, W] and labels [S·B] of each of `count` sources."""
        anchor = self.batches[steps]
        chosen = [anchor] + [anchor.gather(1, p[steps]) for p in self.partners[: count - 1]]
        images, labels = self.data.images, self.data.labels
        # index_select copies whole images; images[index] copies number by number.
        return [
            (pixels(images.index_select(0, index)), labels.index_select(0, index))
            for index in (one.flatten() for one in chosen)
        ]


def blocks(cells: Sequence[Cell], workshop: Workshop) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield a block's inputs [S, B, K·C, H, W] and soft labels [S, K, B, classes], to the end.

    The cells can be trained together (`planning.trained_alike`). Raises what an augmentation
    raises, for the engine to find the guilty cell.
    """
    one, device = cells[0], workshop.device
    augmentations = [workshop.augmentation(cell) for cell in cells]
    rngs = [workshop.rng(cell, Role.AUGMENTATION) for cell in cells]
    groups: dict[tuple[int, int | None], list[int]] = {}
    for k, cell in enumerate(cells):
        groups.setdefault((cell.seed, cell.samples_per_class), []).append(k)
    draws = [
        (members, _draw([cells[k] for k in members], [augmentations[k] for k in members], workshop))
        for members in groups.values()
    ]
    steps, batch = draws[0][1].batches.shape
    block = block_steps(batch, one.pretrain.image_shape) if batch else 1
    for start in range(0, steps, block):
        inputs: dict[int, Tensor] = {}
        targets: dict[int, Tensor] = {}
        for members, common in draws:
            most = max(augmentations[k].sources for k in members)
            sources = common.sources(slice(start, start + block), most)
            for k in members:
                inputs[k], targets[k] = _augmented(
                    augmentations[k], sources, rngs[k], len(one.pretrain.classes)
                )
        in_order = range(len(cells))
        yield (
            side_by_side([inputs[k] for k in in_order], batch),
            torch.stack([targets[k] for k in in_order])  # [K, S·B, classes]
            .unflatten(1, (-1, batch))
            .transpose(0, 1)
            .to(device),
        )


def _draw(
    cells: Sequence[Cell], augmentations: Sequence[Augmentation], workshop: Workshop
) -> _Draws:
    one = cells[0]
    data = workshop.pretrain_set(one)
    batches = draw_batches(
        len(data), one.settings.batch_size, one.pretrain_steps, workshop.rng(one, Role.ORDER)
    )
    most = max(augmentation.sources for augmentation in augmentations)
    steps, size = batches.shape
    partners = draw_partners(
        most, steps, size, [workshop.rng(one, Role.PARTNERS, k) for k in range(most - 1)]
    )
    device = data.labels.device
    return _Draws(data, torch.from_numpy(batches).to(device), torch.from_numpy(partners).to(device))


def _augmented(
    augmentation: Augmentation,
    sources: Sequence[tuple[Tensor, Tensor]],
    rng: np.random.Generator,
    classes: int,
) -> tuple[Tensor, Tensor]:
    sources = sources[: augmentation.sources]
    images = [image for image, _ in sources]
    before = [image._version for image in images]
    image, weights = augment(augmentation, images, rng)
    if before != [image._version for image in images]:
        # Cells share their sources: what one changed, the others would see.
        raise ContractError(f"{type(augmentation).__name__} changes its inputs")
    labels = torch.stack([label for _, label in sources], dim=1)
    return image, soft_labels(labels, weights, classes)
