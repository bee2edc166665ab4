"""Random streams: every draw of a cell comes from a stream of its own.

A stream is addressed by (root seed, role, data set, seed i). Only the augmentation's own stream
depends on the augmentation: all else, from the subset to the dropout masks, is common to the
cells of a seed, so that augmentations are compared in pairs (common random numbers; the variance
that remains between seeds includes the data subset, Bouthillier et al. 2021, arXiv 2103.03098).
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from augbench.protocol.study import Cell

__all__ = ["Role", "cell_stream", "stream", "words"]


class Role(IntEnum):
    """The purpose of a stream. The numbers are part of the protocol: never renumber."""

    SUBSET = 0
    WEIGHTS = 1
    ORDER = 2
    PARTNERS = 3
    AUGMENTATION = 4
    DROPOUT = 5
    OTHER = 6
    FINETUNE_SUBSET = 7
    FINETUNE_HEAD = 8
    FINETUNE_ORDER = 9


_OF_FINETUNING = frozenset({Role.FINETUNE_SUBSET, Role.FINETUNE_HEAD, Role.FINETUNE_ORDER})
"""Roles whose streams hang on D_F; those of all others hang on D_P."""


def cell_stream(cell: Cell, role: Role, *extra: int) -> np.random.Generator:
    """Return a cell's generator for a role: the one door through which everything is drawn.

    `extra` tells apart the streams within a role, as in `stream`.
    """
    info = cell.finetune if role in _OF_FINETUNING else cell.pretrain
    if role is Role.AUGMENTATION:
        # Not version or source: a corrected method is compared on the same draws.
        one = cell.augmentation
        extra = (*words(repr((one.distribution, one.name, one.parameters))), *extra)
    return stream(
        role,
        root=cell.settings.root_seed,
        dataset=info.content_hash,
        seed=cell.seed,
        extra=extra,
    )


def words(text: str) -> tuple[int, int, int, int]:
    """The first 128 bits of the SHA-256 of `text`, as four 32-bit words of a spawn key."""
    digest = hashlib.sha256(text.encode()).digest()
    a, b, c, d = (int.from_bytes(digest[i : i + 4], "big") for i in range(0, 16, 4))
    return a, b, c, d


def stream(
    role: Role, *, root: int, dataset: str, seed: int, extra: tuple[int, ...] = ()
) -> np.random.Generator:
    """Return the generator at (root, role, data set's content hash, seed, extra).

    `extra` tells apart the streams within a role: the layer of a dropout mask, the number of a
    partner, the `words` of an augmentation.
    """
    key = (int(role), *words(dataset), seed, *extra)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(root, spawn_key=key)))
