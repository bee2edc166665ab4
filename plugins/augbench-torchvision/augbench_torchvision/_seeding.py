"""torchvision draws from torch's global generator: here it does so under a seed, and in private."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

__all__ = ["each"]


def each(x: Tensor, transform: Callable[[Tensor], Tensor], rng: np.random.Generator) -> Tensor:
    """Transform each image of [N, C, H, W] alone, with a seed of its own; draws N values.

    A transform of torchvision draws its parameters once a call, so that a call on a batch would
    treat all its images alike. It runs on the CPU, whose generator is put back afterwards: on
    another device some transforms draw from that device's generator.
    """
    seeds = rng.integers(2**63, size=len(x))
    on_cpu = x.cpu()
    results = []
    with torch.random.fork_rng(devices=[]):
        for image, seed in zip(on_cpu, seeds, strict=True):
            torch.default_generator.manual_seed(int(seed))
            results.append(transform(image))
    return torch.stack(results).to(x.device)
