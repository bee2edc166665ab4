"""Balanced subsets of labelled images, nested in the samples per class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from augbench.errors import StudyError

__all__ = ["nested_subset"]


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
    permutations = [_permute(np.flatnonzero(labels == c), rng) for c in range(n_classes)]
    counts = [len(permutation) for permutation in permutations]
    least = min(counts)
    if per_class is not None and per_class > least:
        raise StudyError(
            f"{per_class} samples per class asked, but the smallest class "
            f"(label {counts.index(least)}) holds {least}; the largest size that works is {least}"
        )
    chosen = [permutation[:per_class] for permutation in permutations]
    rounds = np.concatenate([np.arange(len(indices)) for indices in chosen])
    order = np.argsort(rounds, kind="stable")
    subset: NDArray[np.int64] = np.concatenate(chosen)[order].astype(np.int64)
    return subset


def _permute(indices: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    # NumPy may change `Generator.permutation`, but never a bit generator's raw stream (NEP 19).
    return indices[np.argsort(rng.bit_generator.random_raw(len(indices)), kind="stable")]
