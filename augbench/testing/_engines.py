"""Hold the packed engine against the reference on a backbone, in a small study of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from augbench.augmentations.mixup import Mixup
from augbench.augmentations.none import NoAugmentation
from augbench.datasets.contract import Dataset
from augbench.engines.contract import Engine
from augbench.engines.packed import PackedEngine
from augbench.engines.reference import ReferenceEngine
from augbench.engines.workshop import Workshop
from augbench.plugins.components import Component
from augbench.protocol.cell_result import CellResult
from augbench.protocol.study import Cell, Settings

__all__ = ["disagreement"]

Shape = tuple[int, int, int]

_CLOSE = 1e-3
_LARGE = 1_000_000
_AUGMENTATIONS = {"none": NoAugmentation(), "mixup": Mixup()}
_CLASSES = 3
_PER_CLASS = 4
_SETTINGS = Settings(
    batch_size=4,
    pretrain_steps=6,
    finetune_steps=6,
    finetune_samples_per_class=2,
    calibration_samples_per_class=1,
)


def disagreement(build: Callable[[Shape], Any], shape: Shape) -> str:
    """What differs between cells trained together and one by one; "" if nothing does.

    Engines add in different orders, which a network may amplify. Where they differ, the cells are
    trained once more from weights changed by a millionth: only what is beyond that counts.
    """
    dataset = _dataset(shape)
    backbone = Component("backbone", "checked")
    # Enough cells that packing a small network pays, few of a large one, so that it ends soon.
    seeds = 4 if sum(p.numel() for p in build(shape).parameters()) < _LARGE else 1
    cells = [
        Cell(
            *(dataset.info, dataset.info, backbone, Component("augmentation", name)),
            *(_PER_CLASS // 2, seed, _SETTINGS),
        )
        for name in _AUGMENTATIONS
        for seed in range(seeds)
    ]
    one_by_one = _train(ReferenceEngine(), cells, build, dataset)
    packed = _train(PackedEngine(), cells, build, dataset)
    changed: list[CellResult] | None = None
    for k, cell in enumerate(cells):
        if _compare(one_by_one[k], packed[k], None):
            changed = changed or _train(ReferenceEngine(), cells, _nudged(build), dataset)
            message = _compare(one_by_one[k], packed[k], changed[k])
            if message:
                return f"{cell.augmentation.name}, seed {cell.seed}: {message}"
    return ""


def _train(
    engine: Engine, cells: list[Cell], build: Callable[[Shape], Any], dataset: Dataset
) -> list[CellResult]:
    def create(component: Component) -> Any:
        if component.kind == "backbone":
            return lambda channels, size: build((channels, *size))
        return _AUGMENTATIONS[component.name]

    workshop = Workshop(create, lambda info: dataset)
    results = engine.train(cells, workshop, test_every=0, progress=lambda steps: None)
    of_key = {result.key: result for result in results}
    return [of_key[cell.key] for cell in cells]


def _nudged(build: Callable[[Shape], Any]) -> Callable[[Shape], Any]:
    def nudged(shape: Shape) -> Any:
        module = build(shape)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.mul_(1 + 1e-6 * torch.randn(parameter.shape))
        return module

    return nudged


def _compare(one: CellResult, other: CellResult, nudged: CellResult | None) -> str:
    """How `other` differs from `one`, by more than ten times what a nudge does; "" if not."""
    for result, engine in ((one, "one by one"), (other, "packed")):
        if result.error:
            return f"trained {engine}, it fails with {result.error}"
    for name, (left, right, near) in _numbers(one, other, nudged or one).items():
        off = float(np.abs(left - right).max())
        allowed = _CLOSE * max(1.0, float(np.abs(left).max()))
        if not off <= allowed + 10 * float(np.abs(left - near).max()):
            return f"{name} differs by {off:.3g} between packed and one by one"
    return ""


def _numbers(*results: CellResult) -> dict[str, list[NDArray[np.float64]]]:
    return {
        "the loss of pretraining": [np.array(r.curves["pretrain"].loss) for r in results],
        "the loss of finetuning": [np.array(r.curves["finetune"].loss) for r in results],
        "the likelihood loss on D_P": [np.array([r.metrics["pretrain_nll"]]) for r in results],
        "the likelihood loss on D_F": [np.array([r.metrics["nll"]]) for r in results],
    }


def _dataset(shape: Shape) -> Dataset:
    rng = np.random.default_rng(0)

    def part(per_class: int) -> tuple[Any, Any]:
        labels = np.arange(_CLASSES).repeat(per_class)
        images = rng.integers(0, 256, size=(len(labels), *shape))
        return images.astype(np.uint8), labels.astype(np.int64)

    return Dataset("checked", *part(_PER_CLASS), *part(2), ("a", "b", "c"))
