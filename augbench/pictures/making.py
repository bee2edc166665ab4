"""Augmentations applied to training images, for the preview and for a report's gallery."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from augbench.errors import AugbenchError, UsageError
from augbench.pictures.archive import Picture, known_pictures, picture_key
from augbench.plugins.isolation import describe
from augbench.protocol.batches import draw_partners
from augbench.protocol.streams import Role, stream

if TYPE_CHECKING:
    from augbench.datasets.contract import Dataset
    from augbench.plugins.components import Component
    from augbench.plugins.pipelines import Pipeline
    from augbench.plugins.registry import Registry
    from augbench.protocol.study import Study

__all__ = ["Asked", "make_picture", "make_pictures", "missing_pictures", "without_images"]

_GALLERY_COLUMNS = 8
_GALLERY_PIXELS = 96
_CAPTION_PARTS = 8


@dataclass(frozen=True)
class Asked:
    """Pictures that are asked for: of pipelines, on the images of some data sets.

    `wanted` are (key, pipeline, data set), in any order. For a gallery they are made small, and
    what cannot be drawn gives a picture without images, and the reason; else it is an error.
    """

    plugins: tuple[str, ...]
    wanted: Sequence[tuple[str, Pipeline, Component]]
    data_root: Path | None = None
    download: bool = False
    columns: int = _GALLERY_COLUMNS
    seed: int = 0
    gallery: bool = True


def missing_pictures(
    study: Study, datasets: Mapping[str, Component], folder: Path
) -> list[tuple[str, Pipeline, Component]]:
    """The pictures of a study's arms that its store's folder lacks; see `Asked.wanted`."""
    known = known_pictures(folder)
    wanted = {
        picture_key(pretrain.content_hash, arm.pipeline.identity()): (
            arm.pipeline,
            datasets[pretrain.content_hash],
        )
        for pretrain, _ in study.pairs
        for arm in study.arms
    }
    return [(key, *of) for key, of in wanted.items() if key not in known]


def make_pictures(asked: Asked, emit: Callable[[tuple[str, Picture]], None]) -> None:
    """Make pictures one by one; what a child process runs."""
    from augbench.datasets.named import load_dataset
    from augbench.plugins.guard import Guard, Place
    from augbench.plugins.registry import Registry

    registry = Registry.load(asked.plugins)
    loaded: dict[Component, Dataset] = {}
    for key, pipeline, component in asked.wanted:
        if component not in loaded:
            with Guard(Place(f"data set {component.label!r}", dataset=component.label)):
                root, download = asked.data_root, asked.download
                loaded[component] = load_dataset(registry, component, root, download=download)
        dataset = loaded[component]
        try:
            drawn = make_picture(
                registry, pipeline, dataset, columns=asked.columns, seed=asked.seed
            )
        except AugbenchError as error:
            if not asked.gallery:
                raise
            emit((key, without_images(dataset.name, pipeline, str(error))))
            continue
        if asked.gallery:
            images = _small(drawn.originals), _small(drawn.results)
            drawn = Picture(drawn.dataset, drawn.augmentation, *images, drawn.captions)
        emit((key, drawn))


def without_images(dataset: str, pipeline: Pipeline, problem: str) -> Picture:
    """The picture of what could not be drawn."""
    nothing = np.zeros((0, 1, 1, 1), np.uint8)
    return Picture(dataset, pipeline.label, nothing, nothing, (), problem)


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
            f"{pipeline.label!r} failed on {len(chosen)} images: {describe(error)}; try "
            "`augbench check`"
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
