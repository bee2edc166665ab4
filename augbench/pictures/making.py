"""Augmentations applied to training images, for the preview and for a report's gallery."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from augbench.augmentations.contract import needs_of
from augbench.errors import AugbenchError, UsageError
from augbench.pictures.archive import Picture, add_pictures, known_pictures, picture_key
from augbench.protocol.batches import draw_partners
from augbench.protocol.streams import Role, stream

if TYPE_CHECKING:
    from augbench.datasets.contract import Dataset
    from augbench.plugins.components import Component
    from augbench.plugins.registry import Registry
    from augbench.protocol.study import Study

__all__ = ["keep_pictures", "make_picture"]

_GALLERY_COLUMNS = 8
_GALLERY_PIXELS = 96


def keep_pictures(
    registry: Registry, study: Study, load: Callable[[str], Dataset], folder: Path
) -> None:
    """Add the study's pictures to its store's folder, where they are not there yet.

    `load` gives the data set of a content hash. An augmentation that cannot be drawn is kept with
    the reason: a picture is never worth a study.
    """
    known = known_pictures(folder)
    added = {}
    for info in {pretrain.content_hash: pretrain for pretrain, _ in study.pairs}.values():
        wanted = {picture_key(info.content_hash, c.identity()): c for c in study.augmentations}
        if wanted.keys() <= known:
            continue
        dataset = load(info.content_hash)
        for key in sorted(wanted.keys() - known):
            try:
                drawn = make_picture(registry, wanted[key], dataset, columns=_GALLERY_COLUMNS)
            except AugbenchError as error:
                nothing = np.zeros((0, *info.image_shape), np.uint8)
                label = wanted[key].label
                added[key] = Picture(dataset.name, label, nothing, nothing, (), str(error))
                continue
            images = _small(drawn.originals), _small(drawn.results)
            added[key] = Picture(drawn.dataset, drawn.augmentation, *images, drawn.captions)
    if added:
        add_pictures(folder, added)


def make_picture(
    registry: Registry, component: Component, dataset: Dataset, *, columns: int, seed: int = 0
) -> Picture:
    """Apply one augmentation to `columns` training images, one of each class in turn.

    Raises `AugbenchError` where the augmentation fails, or needs a network in training.
    """
    import torch

    from augbench.protocol.inputs import network_inputs
    from augbench.protocol.mixing import augment

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
    if needs := needs_of(method):
        raise UsageError(
            f"{component.label!r} needs {' and '.join(sorted(needs))} of a network in training; "
            "it cannot be drawn"
        )
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
        mixed, weights = augment(method, [network_inputs(images[index]) for index in indices], rng)
    except AugbenchError:
        raise
    except Exception as error:
        raise AugbenchError(
            f"{component.label!r} failed on {len(chosen)} images: "
            f"{type(error).__name__}: {error}; try `augbench check`"
        ) from error
    names = [[dataset.classes[dataset.train_labels[chosen[i]]] for i in ix] for ix in indices]
    captions = tuple(
        " + ".join(
            f"{float(weights[n, k]):.2f} {names[k][n]}"
            for k in range(count)
            if float(weights[n, k]) >= 0.005
        )
        for n in range(len(chosen))
    )
    shown = (mixed.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return Picture(dataset.name, component.label, images.numpy(), shown, captions)


def _small(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every k-th pixel of images [N, C, H, W] that are too large for a gallery."""
    step = max(1, -(-max(images.shape[2:]) // _GALLERY_PIXELS))
    return np.ascontiguousarray(images[:, :, ::step, ::step])
