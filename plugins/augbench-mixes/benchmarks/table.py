"""Measure augmentations on the glyph digits: `python benchmarks/table.py cutmix fmix …`.

For each: the mean weight of x_i, the mean distance between a source's weight and its share of the
ink (area is not content), and the processor time of a step of 8 images, called alone and in a
block of 32 steps.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import platform
import sys
import time
from typing import Any

import numpy as np
import torch
from augbench.datasets.glyphs import glyph_digits
from augbench.plugins import Registry

IMAGES = 4000
STEP, BLOCK = 8, 256
OWN = (
    "cutmix cutout fmix gridmix manifold-mixup mosaic puzzlemix resizemix ricap saliencymix "
    "smoothmix zeta-mixup"
)


def call(method: Any, sources: list[torch.Tensor], rng: np.random.Generator) -> Any:
    extra = {}
    if "gradients" in getattr(method, "needs", ()):  # of a network that knows nothing yet
        extra["gradients"] = tuple(torch.randn_like(source[:, :1]) for source in sources)
    return method(*sources, rng=rng, **extra)


def weights_and_ink(method: Any, pictures: torch.Tensor) -> tuple[float, float]:
    """Source k drawn into channel k: an output's channels tell whose ink is whose."""
    rng, count = np.random.default_rng(0), method.sources
    sources = []
    for k in range(count):
        source = torch.zeros(len(pictures), max(3, count), *pictures.shape[-2:])
        source[:, k] = pictures[rng.permutation(len(pictures)), 0]
        sources.append(source)
    image, weights = call(method, sources, rng)
    if count == 2:
        weights = torch.stack([weights, 1 - weights], dim=1)
    ink = image.sum(dim=(2, 3))[:, :count]
    seen = ink.sum(dim=1) > 0
    off = (ink[seen] / ink[seen].sum(dim=1, keepdim=True) - weights[seen]).abs()
    return float(weights[:, 0].mean()), float(off.mean())


def milliseconds(method: Any, pictures: torch.Tensor, images: int) -> float:
    """A step of 8, the least of 15 rounds."""
    rng, rounds = np.random.default_rng(0), []
    sources = [pictures[k * images : (k + 1) * images] for k in range(method.sources)]
    call(method, sources, rng)
    for _ in range(15):
        calls, start = 0, time.process_time()
        while time.process_time() - start < 0.08:
            call(method, sources, rng)
            calls += 1
        rounds.append((time.process_time() - start) / calls)
    return 1000 * min(rounds) * STEP / images


def main() -> None:
    torch.set_num_threads(1)
    registry = Registry.load()
    pictures = torch.tensor(glyph_digits(None).train_images[:IMAGES]).float() / 255
    print(f"{'':16} mean weight  off from ink  ms alone  ms in a block")
    for spec in sys.argv[1:] or OWN.split():
        method = registry.create(registry.resolve("augmentation", spec))
        mixes = method.sources > 1 and "hidden" not in getattr(method, "needs", ())
        share, off = weights_and_ink(method, pictures) if mixes else (float("nan"),) * 2
        alone, block = (milliseconds(method, pictures, n) for n in (STEP, BLOCK))
        print(f"{spec:16} {share:11.3f} {off:13.3f} {alone:9.2f} {block:14.3f}")
    print(f"torch {torch.__version__}, NumPy {np.__version__}, {platform.machine()}, one thread")


if __name__ == "__main__":
    main()
