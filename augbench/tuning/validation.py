"""Validation images of a head on D_F: training images that no training of the study has seen.

Not among them are, for each class: the images of finetuning and of calibration, the first of the
permutation of D_F; and, where D_P and D_F are the same data, the largest pretraining subset, the
first of the permutation of D_P of the same seed. Both permutations depend on the number of images
of a class and on a generator alone, so what is left can be counted before any image is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from augbench.datasets.subsets import class_permutations, in_rounds
from augbench.errors import StudyError

__all__ = ["validation_left", "validation_positions"]


def validation_left(
    train_counts: Sequence[int],
    finetune_rng: np.random.Generator,
    pretrain_rng: np.random.Generator | None = None,
    *,
    finetune: int,
    calibration: int,
    outside: int = 0,
) -> int:
    """The number of validation images that every class of D_F has left: the least over classes.

    `train_counts` are the training images of each class. `finetune_rng` is the stream
    FINETUNE_SUBSET of D_F, `pretrain_rng` the stream SUBSET of D_P, both new: as `cell_stream`
    gives them. `finetune` and `calibration` are the settings' samples per class (of calibration,
    fewer where fewer are left, as in training); `outside` is the largest s of the study where D_P
    and D_F have the same content, else 0.
    """
    free = _free(train_counts, finetune_rng, pretrain_rng, finetune, calibration, outside)
    return min(len(places) for places in free)


def validation_positions(
    labels: NDArray[np.int64],
    v: int,
    n_classes: int,
    finetune_rng: np.random.Generator,
    pretrain_rng: np.random.Generator | None = None,
    *,
    finetune: int,
    calibration: int,
    outside: int = 0,
) -> NDArray[np.int64]:
    """Indices of `v` validation images of every class among `labels` [N]: int64 [v × n_classes].

    The order is every class's first image, then every class's second, each class in the order of
    D_F's permutation: fewer are a prefix of more. The other arguments are `validation_left`'s.
    Raises `StudyError`, naming how many there are, where a class has fewer than `v` left.
    """
    members = [np.flatnonzero(labels == c) for c in range(n_classes)]
    counts = [len(images) for images in members]
    free = _free(counts, finetune_rng, pretrain_rng, finetune, calibration, outside)
    least = min(len(places) for places in free)
    if not 1 <= v <= least:
        raise StudyError(
            f"expected 1 to {least} validation images per class, those that neither finetuning, "
            f"calibration nor pretraining uses, got {v}"
        )
    chosen = [images[places[:v]] for images, places in zip(members, free, strict=True)]
    return in_rounds(chosen)


def _free(
    counts: Sequence[int],
    finetune_rng: np.random.Generator,
    pretrain_rng: np.random.Generator | None,
    finetune: int,
    calibration: int,
    outside: int,
) -> list[NDArray[np.int64]]:
    """The places of free images within each class, in the order of D_F's permutation."""
    if outside and pretrain_rng is None:
        raise ValueError("expected D_P's generator where images lie outside its subsets")
    held_out = min(calibration, max(0, min(counts) - finetune))
    free = [order[finetune + held_out :] for order in class_permutations(counts, finetune_rng)]
    if outside and pretrain_rng is not None:
        used = [order[:outside] for order in class_permutations(counts, pretrain_rng)]
        free = [
            rest[~np.isin(rest, seen, assume_unique=True)]
            for rest, seen in zip(free, used, strict=True)
        ]
    return free
