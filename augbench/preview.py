"""What augmentations do, drawn: the handout's augmentation figure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from augbench.errors import AugbenchError, UsageError
from augbench.protocol.batches import draw_partners
from augbench.protocol.streams import Role, stream

if TYPE_CHECKING:
    from augbench.datasets.contract import Dataset
    from augbench.plugins.components import Component
    from augbench.plugins.registry import Registry

__all__ = ["preview"]


def preview(
    registry: Registry,
    augmentations: Sequence[Component],
    dataset: Dataset,
    folder: Path,
    *,
    columns: int = 10,
    seed: int = 0,
) -> list[Path]:
    """Draw each augmentation on `columns` training images, mixed with each other as in a batch.

    Returns the paths of the figures, `augmentation-NAME.png` and `.svg` in `folder`. Raises
    `UsageError` if there are fewer columns than an augmentation has sources.
    """
    import torch

    from augbench.protocol.mixing import augment, pixels
    from augbench.reports.figures import draw_augmentation, save_figure

    paths = []
    for component in augmentations:
        rng = stream(Role.SUBSET, root=seed, dataset=dataset.content_hash, seed=0)
        # One of each class in turn, so that a picture shows many classes.
        order = rng.permutation(len(dataset.train_labels))
        labels = dataset.train_labels[order]
        turn = np.argsort(np.argsort(labels, kind="stable"), kind="stable") - np.searchsorted(
            np.sort(labels), labels
        )
        chosen = order[np.argsort(turn, kind="stable")[:columns]]
        images = torch.tensor(dataset.train_images[chosen])
        method = registry.create(component)
        count = method.sources
        if count > len(chosen):
            raise UsageError(
                f"{component.label!r} takes {count} images, the preview has {len(chosen)}; "
                f"use --columns {count} or more"
            )
        rngs = [
            stream(Role.PARTNERS, root=seed, dataset=dataset.content_hash, seed=0, extra=(k,))
            for k in range(count - 1)
        ]
        partners = draw_partners(count, 1, len(chosen), rngs)[:, 0]
        indices = [np.arange(len(chosen)), *partners]
        try:
            mixed, weights = augment(method, [pixels(images[index]) for index in indices], rng)
        except AugbenchError:
            raise
        except Exception as error:
            raise AugbenchError(
                f"{component.label!r} failed on {len(chosen)} images: "
                f"{type(error).__name__}: {error}; try `augbench check`"
            ) from error
        names = [[dataset.classes[dataset.train_labels[chosen[i]]] for i in ix] for ix in indices]
        captions = [
            " + ".join(
                f"{float(weights[n, k]):.2f} {names[k][n]}"
                for k in range(count)
                if float(weights[n, k]) >= 0.005
            )
            for n in range(len(chosen))
        ]
        shown = (mixed.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
        figure = draw_augmentation(component.label, images.numpy(), shown, captions)
        slug = re.sub(r"[^A-Za-z0-9.=_-]+", "_", component.label)
        paths += save_figure(figure, folder / f"augmentation-{slug}")
    return paths
