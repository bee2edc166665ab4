"""Hold the packed engine against the reference on a backbone, in a small study of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from augbench.augmentations.mixup import Mixup
from augbench.augmentations.none import NoAugmentation
from augbench.batching.materials import CellMaterials
from augbench.datasets.contract import Dataset
from augbench.plugins.components import Component
from augbench.protocol.cell_result import CellResult
from augbench.protocol.study import Arm, Cell, Settings
from augbench.training.contract import Engine
from augbench.training.engine import PackedEngine
from augbench.training.reference import ReferenceEngine

__all__ = ["disagreement"]

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class _Precision:
    """Tolerances of curves and metrics, and the relative size of a nudge: some roundings."""

    curves: float
    metrics: float
    nudge: float


_SINGLE = _Precision(curves=1e-3, metrics=1e-3, nudge=1e-6)
_DOUBLE = _Precision(curves=1e-6, metrics=1e-9, nudge=1e-14)  # curves are kept in float32
_NUDGES = 4
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
    learning_rate=1e-3,  # at 0.01, heads on large features diverge
)


def disagreement(
    build: Callable[[Shape], Any], shape: Shape, packed: Callable[[], Engine] = PackedEngine
) -> str:
    """Describe the first difference between cells trained packed and one by one; "" if none.

    Engines add in different orders. Some networks amplify that (batch normalisation over four
    images does), until in float32 nothing tells a wrong packing from a right one. So float64
    decides, where even amplified rounding stays far below the effect of a wrong packing. Float32
    is looked at as well, and has the only say on a network that cannot compute in float64.
    A difference counts if it is ten times as large as what several nudges of the weights do.
    """
    with _double_precision():
        study = _Study(lambda shape: build(shape).double(), shape)
        one_by_one = study.train(ReferenceEngine())
        if not any(result.error for result in one_by_one):
            message = _difference(study, one_by_one, study.train(packed()), _DOUBLE)
            if message:
                return f"{message}, in float64"
    study = _Study(build, shape)
    return _difference(study, study.train(ReferenceEngine()), study.train(packed()), _SINGLE)


def _difference(
    study: _Study,
    one_by_one: Sequence[CellResult],
    together: Sequence[CellResult],
    precision: _Precision,
) -> str:
    """Describe the first number that differs, if nudges do not explain it."""
    if not _first(study, one_by_one, together, (), precision):
        return ""
    nudged = [study.train(ReferenceEngine(), nudge=(n, precision.nudge)) for n in range(_NUDGES)]
    return _first(study, one_by_one, together, nudged, precision)


class _Study:
    """A few cells of one backbone, and how to train them."""

    def __init__(self, build: Callable[[Shape], Any], shape: Shape) -> None:
        self._build, self._dataset = build, _dataset(shape)
        info, backbone = self._dataset.info, Component("backbone", "checked")
        # Enough cells that packing a small network pays, few of a large one, so that it ends soon.
        seeds = 4 if sum(p.numel() for p in build(shape).parameters()) < _LARGE else 1
        self.cells = [
            Cell(
                *(
                    info,
                    info,
                    backbone,
                    Arm.of(Component("augmentation", name, label=name), _SETTINGS),
                ),
                *(_PER_CLASS // 2, seed),
            )
            for name in _AUGMENTATIONS
            for seed in range(seeds)
        ]

    def train(self, engine: Engine, *, nudge: tuple[int, float] | None = None) -> list[CellResult]:
        """Results in the order of `cells`; a `nudge` (seed, size) changes initial weights."""

        def create(component: Component) -> Any:
            if component.kind == "backbone":
                return lambda channels, size: _nudged(self._build((channels, *size)), nudge)
            return _AUGMENTATIONS[component.name]

        materials = CellMaterials(create, lambda info: self._dataset)
        results = engine.train(self.cells, materials, test_every=0, progress=lambda steps: None)
        of_key = {result.key: result for result in results}
        return [of_key[cell.key] for cell in self.cells]


@contextmanager
def _double_precision() -> Iterator[None]:
    """Let pixels, networks and heads be float64; see `augbench.protocol.inputs`."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _nudged(module: Any, nudge: tuple[int, float] | None) -> Any:
    if nudge is not None:
        generator, size = torch.Generator().manual_seed(nudge[0]), nudge[1]
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.mul_(1 + size * torch.randn(parameter.shape, generator=generator))
    return module


def _first(
    study: _Study,
    one_by_one: Sequence[CellResult],
    together: Sequence[CellResult],
    nudged: Sequence[Sequence[CellResult]],
    precision: _Precision,
) -> str:
    for k, cell in enumerate(study.cells):
        message = _compare(one_by_one[k], together[k], [one[k] for one in nudged], precision)
        if message:
            return f"{cell.arm.label}, seed {cell.seed}: {message}"
    return ""


def _compare(
    one: CellResult, other: CellResult, nudged: Sequence[CellResult], precision: _Precision
) -> str:
    """Name a number of `other` that is not close to `one`'s, nor moved as far by nudges."""
    for result, engine in ((one, "one by one"), (other, "packed")):
        if result.error:
            return f"trained {engine}, it fails with {result.error}"
    results = [one, other, *(result for result in nudged if not result.error)]
    for name, close, read in (
        ("the loss of pretraining", precision.curves, _curve("pretrain")),
        ("the loss of finetuning", precision.curves, _curve("finetune")),
        ("the likelihood loss on D_P", precision.metrics, _metric("pretrain_nll")),
        ("the likelihood loss on D_F", precision.metrics, _metric("nll")),
    ):
        left, right, *others = map(read, results)
        off = float(np.abs(left - right).max())
        allowed = close * max(1.0, float(np.abs(left).max()))
        allowed += 10 * max((float(np.abs(left - near).max()) for near in others), default=0.0)
        if not off <= allowed:
            return f"{name} differs by {off:.3g} between packed and one by one"
    return ""


def _curve(name: str) -> Callable[[CellResult], NDArray[np.float64]]:
    return lambda result: np.array(result.curves[name].loss)


def _metric(name: str) -> Callable[[CellResult], NDArray[np.float64]]:
    return lambda result: np.array([result.metrics[name]])


def _dataset(shape: Shape) -> Dataset:
    rng = np.random.default_rng(0)

    def part(per_class: int) -> tuple[Any, Any]:
        labels = np.arange(_CLASSES).repeat(per_class)
        images = rng.integers(0, 256, size=(len(labels), *shape))
        return images.astype(np.uint8), labels.astype(np.int64)

    return Dataset("checked", *part(_PER_CLASS), *part(2), ("a", "b", "c"))
