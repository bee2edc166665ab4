"""Measures of a classifier class by class, from the true and the predicted class of every image.

Accuracy weighs a class by its test images. Where these are unequal, it says little about small
classes; recalls, and means of them, weigh every class alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augbench.errors import UsageError
from augbench.statistics._arrays import Floats

__all__ = [
    "balanced_accuracy",
    "confusion_matrix",
    "largest_confusions",
    "macro_f1",
    "recall_by_class",
]

Counts = NDArray[np.int64]


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, classes: int) -> Counts:
    """Count the images of each true class (row) that got each class (column): [classes, classes].

    Labels and predictions are whole numbers [N] in 0 … classes − 1; raises `UsageError` for others.
    """
    true, given = np.asarray(labels), np.asarray(predicted)
    if true.ndim != 1 or true.shape != given.shape:
        raise UsageError(f"expected two classes for each image, got {true.shape}, {given.shape}")
    for name, array in (("labels", true), ("predicted", given)):
        whole = not array.size or np.issubdtype(array.dtype, np.integer)
        if not whole or (array.size and not 0 <= array.min() <= array.max() < classes):
            raise UsageError(f"{name}: expected whole numbers in 0 … {classes - 1}")
    places = true.astype(np.int64) * classes + given.astype(np.int64)
    return np.bincount(places, minlength=classes**2).reshape(classes, classes)


def recall_by_class(confusion: ArrayLike) -> Floats:
    """The share of each class's images that got their class [classes]; NaN without test images."""
    counts = _square(confusion)
    images = counts.sum(axis=1)
    recall = np.full(len(counts), np.nan)
    np.divide(np.diag(counts), images, out=recall, where=images > 0)
    return recall


def balanced_accuracy(confusion: ArrayLike) -> float:
    """The mean recall of the classes that have test images, in [0, 1]; NaN without any.

    Brodersen et al. 2010, "The balanced accuracy and its posterior distribution", ICPR. Guessing,
    and answering one class always, both give 1/classes.
    """
    recall = recall_by_class(confusion)
    known = recall[~np.isnan(recall)]
    return float(known.mean()) if len(known) else float("nan")


def macro_f1(confusion: ArrayLike) -> float:
    """The mean of F1 over the classes that have test images, in [0, 1]; NaN without any.

    F1 = 2·TP/(2·TP + FP + FN) is 0 for a class that is never predicted right. The mean of F1s,
    not the F1 of mean precision and recall: Opitz & Burst 2019, arXiv 1911.03347, who show that
    the second may rank classifiers otherwise. A class without test images does not count, so that
    the same classes count for every classifier.
    """
    counts = _square(confusion)
    images = counts.sum(axis=1)
    there = images > 0
    if not there.any():
        return float("nan")
    f1 = 2 * np.diag(counts)[there] / (images + counts.sum(axis=0))[there]
    return float(f1.mean())


def largest_confusions(confusion: ArrayLike, most: int) -> list[tuple[int, int, float]]:
    """The `most` frequent mistakes, as (true class, predicted class, share of the true class).

    Ordered by that share; mistakes that never happen are left out.
    """
    counts = _square(confusion).astype(np.float64)
    np.fill_diagonal(counts, 0)
    images = _square(confusion).sum(axis=1, keepdims=True)
    shares = np.divide(counts, images, out=np.zeros_like(counts), where=images > 0)
    order = np.argsort(-shares, axis=None, kind="stable")[:most]
    found = [divmod(int(place), len(shares)) for place in order]
    return [(*place, float(shares[place])) for place in found if shares[place] > 0]


def _square(confusion: ArrayLike) -> Counts:
    counts = np.asarray(confusion, dtype=np.int64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or (counts < 0).any():
        raise UsageError(f"confusion: expected counts [classes, classes], got {counts.shape}")
    return counts
