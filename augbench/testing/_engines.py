"""Hold the packed engine against the reference on a backbone, in a small study of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from augbench.augmentations.mixup import Mixup
from augbench.augmentations.none import NoAugmentation
from augbench.datasets.contract import Dataset
from augbench.engines.contract import Engine
from augbench.engines.packed import PackedEngine
from augbench.engines.reference import ReferenceEngine
from augbench.engines.workshop import Workshop
from augbench.plugins.components import Component
from augbench.protocol.results import CellResult
from augbench.protocol.study import Cell, Settings

__all__ = ["disagreement"]

_CLOSE = 1e-3
_CLASSES = 3
_PER_CLASS = 4
_SETTINGS = Settings(
    batch_size=4,
    pretrain_steps=6,
    finetune_steps=6,
    finetune_samples_per_class=2,
    calibration_samples_per_class=1,
)


def disagreement(build: Callable[[tuple[int, int, int]], Any], shape: tuple[int, int, int]) -> str:
    """What differs between eight cells trained together and one by one; "" if nothing does."""
    dataset = _dataset(shape)
    backbone = Component("backbone", "checked")
    augmentations = {"none": NoAugmentation(), "mixup": Mixup()}

    def create(component: Component) -> Any:
        if component.kind == "backbone":
            return lambda channels, size: build((channels, *size))
        return augmentations[component.name]

    cells = [
        Cell(
            *(dataset.info, dataset.info, backbone, Component("augmentation", name)),
            *(_PER_CLASS // 2, seed, _SETTINGS),
        )
        for name in augmentations
        for seed in range(4)
    ]
    of_engine = []
    engines: tuple[Engine, ...] = (ReferenceEngine(), PackedEngine())
    for engine in engines:
        workshop = Workshop(create, lambda info: dataset)
        results = engine.train(cells, workshop, test_every=0, progress=lambda steps: None)
        of_engine.append({result.key: result for result in results})
    for cell in cells:
        message = _compare(*(results[cell.key] for results in of_engine))
        if message:
            return f"{cell.augmentation.name}, seed {cell.seed}: {message}"
    return ""


def _compare(one_by_one: CellResult, packed: CellResult) -> str:
    for result, engine in ((one_by_one, "one by one"), (packed, "packed")):
        if result.error:
            return f"trained {engine}, it fails with {result.error}"
    for name in ("pretrain", "finetune"):
        losses = [np.array(r.curves[name].loss) for r in (one_by_one, packed)]
        off = float(np.abs(losses[0] - losses[1]).max())
        if not off <= _CLOSE * max(1.0, float(np.abs(losses[0]).max())):
            return f"the loss of {name}ing packed and one by one differs by {off:.3g}"
    for name in ("nll", "pretrain_nll"):
        left, right = one_by_one.metrics[name], packed.metrics[name]
        if not abs(left - right) <= _CLOSE * max(1.0, abs(left)):
            return f"{name} is {left:.6f} one by one, {right:.6f} packed"
    return ""


def _dataset(shape: tuple[int, int, int]) -> Dataset:
    rng = np.random.default_rng(0)

    def part(per_class: int) -> tuple[Any, Any]:
        labels = np.arange(_CLASSES).repeat(per_class)
        images = rng.integers(0, 256, size=(len(labels), *shape))
        return images.astype(np.uint8), labels.astype(np.int64)

    return Dataset("checked", *part(_PER_CLASS), *part(2), ("a", "b", "c"))
