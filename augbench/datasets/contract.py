"""The contract of a data set: labelled training and test images in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from augbench.datasets._doubts import warnings_about
from augbench.errors import DatasetError
from augbench.labels import encode
from augbench.text import shown

__all__ = ["Dataset", "DatasetFactory", "DatasetInfo", "reads"]

Factory = TypeVar("Factory", bound=Callable[..., Any])


@dataclass(frozen=True)
class DatasetInfo:
    """The facts about a data set that a plan needs; light enough to be cached and to travel.

    `image_shape` is (C, H, W); `train_counts` the training images of each class. `warnings` are
    lines for the user, about what may be wrong with the images; they are no part of a study.
    `test_labels` are the true classes of the test images, see `augbench.labels`; empty where they
    are not known. `name` is for people, and `spec` what an option calls it by, if that is longer.
    """

    name: str
    content_hash: str
    image_shape: tuple[int, int, int]
    classes: tuple[str, ...]
    train_counts: tuple[int, ...]
    test_size: int
    warnings: tuple[str, ...] = field(default=(), compare=False)
    test_labels: bytes = field(default=b"", compare=False, repr=False)
    spec: str = field(default="", compare=False)

    def called(self, name: str) -> DatasetInfo:
        """The same under another name, in its warnings too."""
        if name == self.name:
            return self
        lines = tuple(line.replace(repr(self.name), repr(name), 1) for line in self.warnings)
        return replace(self, name=name, warnings=lines, spec=self.spec or self.name)

    def __repr__(self) -> str:
        return _in_short(self, sum(self.train_counts), self.test_size, self.image_shape)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images as uint8 [N, C, H, W], labels as int64 [N] in 0 … len(classes) − 1.

    Raises `DatasetError` for any other shape or type, for labels out of range, for fewer than
    two classes, or for a class without training images.
    """

    name: str
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    classes: tuple[str, ...]

    def __repr__(self) -> str:
        images = (len(self.train_images), len(self.test_images))
        return _in_short(self, *images, self.train_images.shape[1:])

    def __post_init__(self) -> None:
        for part, images, labels in (
            ("training", self.train_images, self.train_labels),
            ("test", self.test_images, self.test_labels),
        ):
            if images.ndim != 4 or images.dtype != np.uint8:
                raise DatasetError(
                    f"data set {self.name!r}: expected {part} images as uint8 [N, C, H, W], "
                    f"got {images.dtype} {list(images.shape)}"
                )
            if _channels_last(images.shape):
                raise DatasetError(
                    f"data set {self.name!r}: expected {part} images as [N, C, H, W], got "
                    f"{list(images.shape)}, which looks like N×H×W×C: "
                    "images.transpose(0, 3, 1, 2) has the channels in front"
                )
            if labels.shape != (len(images),) or labels.dtype != np.int64:
                raise DatasetError(
                    f"data set {self.name!r}: expected {part} labels as int64 [{len(images)}], "
                    f"got {labels.dtype} {list(labels.shape)}"
                )
            if len(labels) == 0:
                raise DatasetError(f"data set {self.name!r} holds no {part} images")
            if labels.min() < 0 or labels.max() >= len(self.classes):
                raise DatasetError(
                    f"data set {self.name!r}: expected {part} labels in 0 … "
                    f"{len(self.classes) - 1}, got {labels.min()} … {labels.max()}"
                )
        if len(self.classes) < 2:
            raise DatasetError(
                f"data set {self.name!r} has {len(self.classes)} class; "
                "a classifier needs at least 2"
            )
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise DatasetError(
                f"data set {self.name!r}: training images are {list(self.train_images.shape[1:])}, "
                f"test images {list(self.test_images.shape[1:])}; they must be of one shape"
            )
        counts = np.bincount(self.train_labels, minlength=len(self.classes))
        if counts.min() == 0:
            empty = self.classes[int(counts.argmin())]
            raise DatasetError(f"data set {self.name!r}: class {empty!r} has no training images")

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over the shapes and bytes of all images and labels, without names."""
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(repr((array.dtype.str, array.shape)).encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """A line for whatever makes results doubtful: images in both parts, hardly any contrast."""
        return warnings_about(self.name, self.train_images, self.test_images)

    @property
    def info(self) -> DatasetInfo:
        """The `DatasetInfo` for plans."""
        _, channels, height, width = self.train_images.shape
        counts = np.bincount(self.train_labels, minlength=len(self.classes))
        return DatasetInfo(
            name=self.name,
            content_hash=self.content_hash,
            image_shape=(channels, height, width),
            classes=self.classes,
            train_counts=tuple(int(count) for count in counts),
            test_size=len(self.test_labels),
            warnings=self.warnings,
            test_labels=encode(self.test_labels, len(self.classes)),
        )


def _in_short(one: Dataset | DatasetInfo, training: int, test: int, shape: tuple[int, ...]) -> str:
    return (
        f"<{type(one).__name__} {shown(one.name)}: {len(one.classes)} classes, {training:,} "
        f"training and {test:,} test images of {'×'.join(map(str, shape))}>"
    )


def _channels_last(shape: tuple[int, ...]) -> bool:
    """True for the shape of coloured images, or of square grey ones, whose channels come last."""
    _, first, second, last = shape
    coloured = last in (3, 4) and min(first, second) > 4
    return coloured or (last == 1 and first == second > 4)


class DatasetFactory(Protocol):
    """Loads a data set. Parameters beyond `root` and `download` are the data set's own.

    `root` is the folder that `--data-root` or `AUGBENCH_DATA` names, or None; `download` tells
    whether the user allows one. Raises `DatasetError` with one line on what to do where the
    images are not to be had.
    """

    def __call__(self, root: Path | None, *, download: bool = False) -> Dataset:
        """Load the training and test images."""
        ...


def reads(files: Callable[..., list[Path]]) -> Callable[[Factory], Factory]:
    """Declare the files that a factory reads, as `files(root, **parameters)`; optional.

    While none of them changes, the data set's `DatasetInfo` is remembered between runs, and a
    plan can be made without loading any image. `files` must be cheap and import nothing heavy.
    """

    def mark(factory: Factory) -> Factory:
        factory.__dict__["files"] = files
        return factory

    return mark
