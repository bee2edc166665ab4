"""Shared fixtures: images, and a generator that draws given numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch


class Given:
    """Stands for a NumPy generator; each method returns the next of the values given for it."""

    def __init__(self, **draws: list[Any]) -> None:
        self._draws = {name: iter(values) for name, values in draws.items()}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def draw(*_args: Any, **_keywords: Any) -> Any:
            return np.asarray(next(self._draws[name]))

        return draw


@pytest.fixture(scope="session")
def given() -> type[Given]:
    return Given


@pytest.fixture(scope="session")
def images() -> Callable[..., torch.Tensor]:
    """Random images: `images(seed, n, c, h, w)`."""

    def make(seed: int, *shape: int) -> torch.Tensor:
        return torch.from_numpy(np.random.default_rng(seed).random(shape, dtype=np.float32))

    return make
