"""Random streams: every draw of a cell comes from a stream of its own.

A stream is addressed by (root seed, role, data set, seed i). Only the augmentations' own streams
depend on the augmentation: all else, from the subset to the dropout masks, is common to the
cells of a seed, so that augmentations are compared in pairs (common random numbers; the variance
that remains between seeds includes the data subset, Bouthillier et al. 2021, arXiv 2103.03098).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from augbench.plugins.components import Component
    from augbench.plugins.pipelines import Pipeline
    from augbench.protocol.study import Cell

__all__ = [
    "Role",
    "cell_stream",
    "corruption_stream",
    "spec_words",
    "stage_words",
    "stream",
    "words",
]


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
    CHOICE = 10
    CORRUPTION = 11
    FULL_DROPOUT = 12
    FINETUNE_DROPOUT = 13


_OF_FINETUNING = frozenset(
    {
        Role.FINETUNE_SUBSET,
        Role.FINETUNE_HEAD,
        Role.FINETUNE_ORDER,
        Role.FULL_DROPOUT,
        Role.FINETUNE_DROPOUT,
    }
)
"""Roles whose streams hang on D_F; those of all others hang on D_P."""


def cell_stream(cell: Cell, role: Role, *extra: int) -> np.random.Generator:
    """Return a cell's generator for a role: the one door through which everything is drawn.

    `extra` tells apart the streams within a role, as in `stream`.
    """
    info = cell.finetune if role in _OF_FINETUNING else cell.pretrain
    return stream(
        role,
        root=cell.settings.root_seed,
        dataset=info.content_hash,
        seed=cell.seed,
        extra=extra,
    )


def corruption_stream(root: int, dataset: str, corruption: Component) -> np.random.Generator:
    """Return the generator for a corruption of a data set's test images.

    It hangs on the root seed, the data set's content hash, and the corruption's name, strength and
    further parameters; neither on an arm nor on a seed, so that all cells of a study are tested on
    the same corrupted images.
    """
    return stream(Role.CORRUPTION, root=root, dataset=dataset, seed=0, extra=spec_words(corruption))


_TOLD_AT_DEFAULT = {("augbench", "mixup"): frozenset({"alpha"})}
"""Parameters that name a stream even at their defaults, as all did when the handout's numbers
were first drawn. Others do so only off their defaults: a new parameter changes no draws."""


def spec_words(component: Component) -> tuple[int, int, int, int]:
    """The address of a component's own streams: its name, and the parameters that are set.

    Neither version nor source: a corrected method is compared on the same draws.
    """
    told = component.varied | _TOLD_AT_DEFAULT.get(
        (component.distribution, component.name), frozenset()
    )
    parameters = tuple(one for one in component.parameters if one[0] in told)
    return words(repr((component.distribution, component.name, parameters)))


def stage_words(pipeline: Pipeline) -> list[tuple[tuple[int, ...], list[tuple[int, ...]]]]:
    """The addresses of each stage's streams: of its choice, and of each of its members.

    They hang on the stage's own spec, so that `mixup` draws alike alone, on a base and behind
    other stages; one that occurs again in the same pipeline draws anew.
    """
    met: Counter[object] = Counter()

    def numbered(address: tuple[int, ...]) -> tuple[int, ...]:
        met[address] += 1
        return (*address, met[address] - 1) if met[address] > 1 else address

    addresses = []
    for stage in pipeline.stages:
        members = [spec_words(member.component) for member in stage.members]
        odds = [member.probability for member in stage.members]
        choice = words(repr((members, odds)))
        addresses.append((numbered(choice), [numbered(member) for member in members]))
    return addresses


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
