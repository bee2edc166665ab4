"""Balanced subsets of labelled images, nested in the samples per class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from augbench.errors import StudyError

__all__ = ["class_permutations", "in_rounds", "nested_subset"]


def nested_subset(
    labels: NDArray[np.int64], per_class: int | None, n_classes: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the indices of `per_class` images of every class, int64 [per_class × n_classes].

    One permutation per class is drawn from `rng`, whatever `per_class` is, and the subset is its
    beginning: with the same generator state, a smaller subset is a prefix of a larger one. The
    order is every class's first image, then every class's second. `per_class` None means all
    images of every class; classes of different size then end at different rounds.

    Raises `StudyError`, naming the largest size that works, where a class holds too few images.
    """
    if per_class is not None and per_class < 1:
        raise StudyError(f"expected at least 1 sample per class, got {per_class}")
    members = [np.flatnonzero(labels == c) for c in range(n_classes)]
    counts = [len(images) for images in members]
    orders = class_permutations(counts, rng)
    least = min(counts)
    if per_class is not None and per_class > least:
        raise StudyError(
            f"{per_class} samples per class asked, but the smallest class "
            f"(label {counts.index(least)}) holds {least}; the largest size that works is {least}"
        )
    return in_rounds(
        [images[order[:per_class]] for images, order in zip(members, orders, strict=True)]
    )


def class_permutations(counts: Sequence[int], rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """One permutation of 0 … count − 1 for each class: the order in which its images are taken.

    It depends on `counts` and on the generator alone, and is drawn in the order of the classes.
    """
    # NumPy may change `Generator.permutation`, but never a bit generator's raw stream (NEP 19).
    return [
        np.argsort(rng.bit_generator.random_raw(count), kind="stable").astype(np.int64)
        for count in counts
    ]


def in_rounds(chosen: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Each class's images in one array: every class's first image, then every class's second."""
    rounds = np.concatenate([np.arange(len(indices)) for indices in chosen])
    order = np.argsort(rounds, kind="stable")
    subset: NDArray[np.int64] = np.concatenate(chosen)[order].astype(np.int64)
    return subset
