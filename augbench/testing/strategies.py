"""Hypothesis strategies for images, sources and generators.

They draw shapes and seeds, and fill the images from a generator of that seed: an example is small
to print, replays from what is printed, and shrinks to the smallest shape instead of to zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

__all__ = [
    "SMALLEST_SIDE",
    "Case",
    "cases",
    "generators",
    "image_batch",
    "image_batches",
    "sources",
]

SMALLEST_SIDE = 8
_LARGEST_SIDE = 32
_LARGEST_SEED = 2**16


def image_batch(
    n: int = 1, channels: int = 1, height: int = 8, width: int = 8, seed: int = 0
) -> Tensor:
    """Images float32 [N, C, H, W] in [0, 1], of 256 levels.

    Some are mostly blank, some are of one colour (also black or white), some are black and white.
    """
    rng = np.random.default_rng((seed, n, channels, height, width))
    levels = rng.integers(0, 256, size=(n, channels, height, width)) / 255
    ink = rng.random((n, 1, height, width)) < 0.2
    one_colour = levels[:, :, :1, :1]
    looks = [levels, levels * ink, one_colour, np.rint(one_colour), np.rint(levels)]
    look = rng.choice(len(looks), p=(0.3, 0.25, 0.1, 0.2, 0.15), size=(n, 1, 1, 1))
    return torch.tensor(np.choose(look, looks), dtype=torch.float32)


@dataclass(frozen=True)
class Case:
    """One call: number and shape of its images, and the seed of their content and of `rng`."""

    n: int = 1
    channels: int = 1
    height: int = 8
    width: int = 8
    seed: int = 0

    def sources(self, count: int) -> list[Tensor]:
        """Return `count` sources [N, C, H, W]."""
        return [
            image_batch(self.n, self.channels, self.height, self.width, count * self.seed + k)
            for k in range(count)
        ]

    def images(self) -> Tensor:
        """Return images uint8 [N, C, H, W], as a corruption gets them."""
        return (self.sources(1)[0] * 255).round().to(torch.uint8)

    def gradients(self, count: int) -> tuple[Tensor, ...]:
        """Return made-up gradients of the loss, one [N, C, H, W] for each source."""
        rng = np.random.default_rng((self.seed, self.n, count))
        shape = (self.n, self.channels, self.height, self.width)
        return tuple(
            torch.tensor(rng.normal(size=shape), dtype=torch.float32) for _ in range(count)
        )

    @property
    def classes(self) -> int:
        """The number of classes, 2 to 9."""
        return 2 + self.seed % 8

    def labels(self, count: int) -> tuple[Tensor, ...]:
        """Return the classes of the images, int64 [N] for each source."""
        rng = np.random.default_rng((self.seed, self.n, count, 1))
        return tuple(torch.tensor(rng.integers(self.classes, size=self.n)) for _ in range(count))

    def progress(self) -> Tensor:
        """Return the share of training that is done before each row, float32 [N] in [0, 1).

        Some rows are of the first step, where nothing is done.
        """
        done = np.random.default_rng((self.seed, self.n)).integers(-25, 100, size=self.n)
        return torch.tensor(done.clip(0) / 100, dtype=torch.float32)

    def rng(self) -> np.random.Generator:
        """Return a new generator, the same for the same seed."""
        return np.random.default_rng(self.seed)


def cases(
    *,
    n: Sequence[int] = (1, 2, 3, 4, 5, 8),
    channels: Sequence[int] = (1, 3),
    heights: tuple[int, int] = (SMALLEST_SIDE, _LARGEST_SIDE),
    widths: tuple[int, int] = (SMALLEST_SIDE, _LARGEST_SIDE),
) -> st.SearchStrategy[Case]:
    """Calls of every size; `heights` and `widths` are (smallest, largest)."""
    return st.builds(
        Case,
        n=st.sampled_from(list(n)),
        channels=st.sampled_from(list(channels)),
        height=st.integers(*heights),
        width=st.integers(*widths),
        seed=st.integers(0, _LARGEST_SEED),
    )


def image_batches(
    *,
    n: Sequence[int] = (1, 2, 3, 4, 5, 8),
    channels: Sequence[int] = (1, 3),
    heights: tuple[int, int] = (SMALLEST_SIDE, _LARGEST_SIDE),
    widths: tuple[int, int] = (SMALLEST_SIDE, _LARGEST_SIDE),
) -> st.SearchStrategy[Tensor]:
    """Batches float32 [N, C, H, W] in [0, 1], printed as the call of `image_batch` they are."""
    return st.builds(
        image_batch,
        n=st.sampled_from(list(n)),
        channels=st.sampled_from(list(channels)),
        height=st.integers(*heights),
        width=st.integers(*widths),
        seed=st.integers(0, _LARGEST_SEED),
    )


def sources(count: int = 2) -> st.SearchStrategy[list[Tensor]]:
    """The sources of one call: `count` batches of one shape."""
    return cases().map(lambda case: case.sources(count))


def generators() -> st.SearchStrategy[np.random.Generator]:
    """NumPy generators, printed as the call of `numpy.random.default_rng` they are."""
    return st.builds(np.random.default_rng, st.integers(0, _LARGEST_SEED))
