"""Checks of a data set: labels, order, hash, and leakage between its two parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augbench.datasets.contract import Dataset
from augbench.errors import DatasetError
from augbench.testing._checks import Check, SkippedError, ViolationError
from augbench.testing._globals import changed_by, other_state
from augbench.testing._targets import Target, component_checks

__all__ = ["DATASET_CHECKS", "Subject"]


@dataclass
class Subject:
    """A data set's factory, and the folder of its files."""

    target: Target
    root: Path | None
    download: bool
    _first: Dataset | None = field(default=None, init=False)

    def load(self) -> Any:
        """Call the factory."""
        return self.target.create()(self.root, download=self.download)

    @property
    def dataset(self) -> Dataset:
        """The data set, loaded once; skips where it cannot be."""
        if self._first is None:
            try:
                found = self.load()
            except Exception:
                raise SkippedError("it cannot be loaded: see 'loads'") from None
            if not isinstance(found, Dataset):
                raise SkippedError("it is no Dataset: see 'loads'")
            self._first = found
        return self._first


def _loads(subject: Subject) -> None:
    try:
        found = subject.load()
    except ViolationError:
        raise
    except DatasetError as error:
        raise ViolationError(str(error)) from None
    except Exception as error:
        raise ViolationError(
            f"raises {type(error).__name__}: {error} (where images are not to be had, raise "
            "DatasetError with one line on what to do)"
        ) from None
    if not isinstance(found, Dataset):
        raise ViolationError(
            f"expected the factory to return a Dataset, got {type(found).__name__}"
        )


def _labels(subject: Subject) -> None:
    dataset = subject.dataset
    count = len(dataset.classes)
    for what, labels in (("training", dataset.train_labels), ("test", dataset.test_labels)):
        outside = np.flatnonzero((labels < 0) | (labels >= count))
        if outside.size:
            raise ViolationError(
                f"{what} label {labels[outside[0]]} is not in 0 … {count - 1}",
                f"{what} image {outside[0]}",
            )
        counts = np.bincount(labels, minlength=count)
        if counts.min() == 0:
            raise ViolationError(
                f"class {dataset.classes[int(counts.argmin())]!r} has no {what} images"
            )
    names = list(dataset.classes)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ViolationError(f"two classes are called {twice!r}")


def _stable(subject: Subject) -> None:
    first = subject.dataset
    with other_state(1):
        second = subject.load()
    for what in ("train_images", "train_labels", "test_images", "test_labels"):
        left, right = getattr(first, what), getattr(second, what)
        if left.shape != right.shape:
            raise ViolationError(
                f"loaded twice, {what} is {list(left.shape)}, then {list(right.shape)}"
            )
        differing = np.flatnonzero((left != right).reshape(len(left), -1).any(axis=1))
        if differing.size:
            shuffled = sorted(_digests(left)) == sorted(_digests(right))
            how = "in another order" if shuffled else "with other content"
            raise ViolationError(
                f"loaded twice, {what} came {how}", f"{what}[{differing[0]}] of {len(left)}"
            )
    if first.content_hash != second.content_hash:
        raise ViolationError("loaded twice, the same images and labels had two content hashes")


def _leakage(subject: Subject) -> None:
    dataset = subject.dataset
    known: dict[bytes, int] = {}
    for index, digest in enumerate(_digests(dataset.train_images)):
        known.setdefault(digest, index)
    shared = [
        (known[digest], index)
        for index, digest in enumerate(_digests(dataset.test_images))
        if digest in known
    ]
    if shared:
        train, test = shared[0]
        raise ViolationError(
            f"{len(shared)} of {len(dataset.test_images)} test images are training images as well",
            f"test image {test} is training image {train}",
        )


def _digests(images: NDArray[Any]) -> list[bytes]:
    import hashlib

    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]


def _global_state(subject: Subject) -> None:
    another = Subject(subject.target, subject.root, subject.download)
    changed = changed_by(lambda: another.dataset)
    if changed:
        raise ViolationError(f"loading it {changed}")


DATASET_CHECKS: tuple[Check[Subject], ...] = (
    Check("loads", "the factory returns a Dataset", _loads),
    Check("labels", "labels lie in range, and every class has training and test images", _labels),
    Check("stable", "loaded twice, it has the same images, order and content hash", _stable),
    Check("leakage", "no test image is a training image", _leakage),
    Check("global-state", "loading touches no global random state", _global_state),
    *component_checks(after="loads"),
)
