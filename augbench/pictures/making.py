"""Augmentations applied to training images, for the preview and for a report's gallery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from augbench.errors import AugbenchError, UsageError
from augbench.pictures.archive import Picture, add_pictures, known_pictures, picture_key
from augbench.protocol.batches import draw_partners
from augbench.protocol.streams import Role, stream

if TYPE_CHECKING:
    from augbench.datasets.contract import Dataset
    from augbench.plugins.pipelines import Pipeline
    from augbench.plugins.registry import Registry
    from augbench.protocol.study import Study

__all__ = ["keep_pictures", "make_picture"]

_GALLERY_COLUMNS = 8
_GALLERY_PIXELS = 96
_CAPTION_PARTS = 8


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
        wanted = {
            picture_key(info.content_hash, arm.pipeline.identity()): arm.pipeline
            for arm in study.arms
        }
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
    registry: Registry, pipeline: Pipeline, dataset: Dataset, *, columns: int, seed: int = 0
) -> Picture:
    """Apply a pipeline to `columns` training images, one of each class in turn.

    Raises `AugbenchError` where the augmentation fails, or needs a network in training.
    """
    import torch

    from augbench.protocol.augmenting import Rows, augmenter_of
    from augbench.protocol.inputs import network_inputs

    def streams(role: Role, *extra: int) -> np.random.Generator:
        return stream(role, root=seed, dataset=dataset.content_hash, seed=0, extra=extra)

    rng = streams(Role.SUBSET)
    # One of each class in turn, so that a picture shows many classes.
    order = rng.permutation(len(dataset.train_labels))
    labels = dataset.train_labels[order]
    turn = np.argsort(np.argsort(labels, kind="stable"), kind="stable") - np.searchsorted(
        np.sort(labels), labels
    )
    chosen = order[np.argsort(turn, kind="stable")[:columns]]
    images = torch.tensor(dataset.train_images[chosen])
    augmenter = augmenter_of(pipeline, registry.create, streams)
    if needs := augmenter.arrangement.from_network:
        raise UsageError(
            f"{pipeline.label!r} needs {' and '.join(sorted(needs))} of a network in training; "
            "it cannot be drawn"
        )
    count = augmenter.sources
    if count > len(chosen):
        raise UsageError(
            f"{pipeline.label!r} takes {count} images, the preview has {len(chosen)}; "
            f"use --columns {count} or more"
        )
    rngs = [streams(Role.PARTNERS, k) for k in range(count - 1)]
    partners = draw_partners(count, 1, len(chosen), rngs)[:, 0]
    indices = [np.arange(len(chosen)), *partners]
    classes = torch.tensor(dataset.train_labels[chosen])
    rows = Rows([classes[ix] for ix in indices], len(dataset.classes), (0, len(chosen), 1))
    try:
        ahead = augmenter.ahead_of_mixer(network_inputs(images), rows)
        mixture = augmenter.mix([ahead[ix] for ix in indices], rows)
        mixture.check(augmenter.name)
    except AugbenchError:
        raise
    except Exception as error:
        raise AugbenchError(
            f"{pipeline.label!r} failed on {len(chosen)} images: "
            f"{type(error).__name__}: {error}; try `augbench check`"
        ) from error
    if mixture.distribution is None:
        told = [[dataset.classes[k] for k in labels] for labels in zip(*rows.labels, strict=True)]
        amounts = mixture.weights
    else:
        told = [list(dataset.classes)] * len(chosen)
        amounts = mixture.distribution
    captions = tuple(map(_caption, amounts.tolist(), told))
    shown = (mixture.images.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return Picture(dataset.name, pipeline.label, images.numpy(), shown, captions)


def _caption(amounts: Sequence[float], names: Sequence[str]) -> str:
    """The sources, or classes, of an image, the largest first where there are many."""
    parts = list(zip(amounts, names, strict=True))
    if len(parts) > _CAPTION_PARTS:
        parts = sorted(parts, key=lambda part: -part[0])[:_CAPTION_PARTS]
    return " + ".join(f"{amount:.2f} {name}" for amount, name in parts if amount >= 0.005)


def _small(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every k-th pixel of images [N, C, H, W] that are too large for a gallery."""
    step = max(1, -(-max(images.shape[2:]) // _GALLERY_PIXELS))
    return np.ascontiguousarray(images[:, :, ::step, ::step])
