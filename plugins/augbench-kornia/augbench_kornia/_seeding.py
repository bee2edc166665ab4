"""kornia draws from torch's global generator: here it does so under a seed, and in private."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["seeded"]


@contextmanager
def seeded(rng: np.random.Generator) -> Iterator[None]:
    """Seed torch's CPU generator, from which kornia draws its parameters, and put it back."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(rng.integers(2**63)))
        yield
