"""The cost of every arm, budget and size, beside what it buys."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from augbench.protocol.batches import effective_batch_size
from augbench.protocol.study import Budget
from augbench.statistics import MeanInterval, on_front

if TYPE_CHECKING:
    from augbench.results._study import Pair, StudyResult
    from augbench.store import PlannedCell

__all__ = ["Cost", "costs_of"]


@dataclass(frozen=True)
class Cost:
    """An arm at one budget and size: its mean cost over seeds, and what it reaches.

    `score` is the mean of the study's metric, in the unit that reports show it in.

    `images` counts images that pass forwards and backwards through the network in pretraining:
    (steps + extra passes) × the images of a batch. `seconds` of pretraining are NaN where the arms
    of this size were not measured alike (another engine, device or environment, or only some of
    them in packs). `on_front` is true where nothing of the same size is as good for less.
    """

    augmentation: str
    budget: str
    size: int
    images: float
    seconds: float
    score: MeanInterval
    on_front: bool


def costs_of(result: StudyResult, pair: Pair, *, confidence: float) -> tuple[Cost, ...]:
    """See `StudyResult.costs`."""
    kinds, found = _kinds_of_measuring(result), []
    for size in result.sizes:
        chosen = []
        for budget in result.budgets:
            at = result.at(budget)
            for label in result.augmentations:
                cells = [at.cell(pair, label, size, seed) for seed in range(result.seeds)]
                done = [cell for cell in cells if cell is not None and cell.status == "ok"]
                (mean,) = at.intervals(
                    pair, label, (size,), factor=result.primary.factor, confidence=confidence
                )
                chosen.append((label, budget, done, mean))
        images = [_mean([_images(result, cell) for cell in done]) for _, _, done, _ in chosen]
        fair = len({kinds[cell.key] for *_, done, _ in chosen for cell in done}) == 1
        better = result.scale.sign
        front = on_front(images, [better * mean.mean for *_, mean in chosen])
        for (label, budget, done, mean), spent, best in zip(chosen, images, front, strict=True):
            seconds = [cell.result.metrics["pretrain_seconds"] for cell in done if cell.result]
            taken = _mean(seconds) if fair else math.nan
            found.append(Cost(label, budget, size, spent, taken, mean, best))
    return tuple(found)


def _kinds_of_measuring(result: StudyResult) -> dict[str, tuple[object, ...]]:
    """For the key of every computed cell, the circumstances under which its time was taken.

    The cells of a pack share its time evenly, so those trained in company hold the same number.
    """
    done = [
        (cell, cell.result) for cell in result.shown_cells if cell.status == "ok" and cell.result
    ]
    shared = Counter((cell.budget, one.metrics.get("pretrain_seconds")) for cell, one in done)
    return {
        cell.key: (
            one.engine,
            cell.device,
            tuple(sorted(map(str, cell.environment.items()))),
            shared[cell.budget, one.metrics.get("pretrain_seconds")] > 1,
        )
        for cell, one in done
    }


def _images(result: StudyResult, cell: PlannedCell) -> float:
    study = result.stored.description
    (arm,) = [one for one in study["arms"] if one["shown"] == cell.augmentation]
    batch = {**study["settings"], **arm.get("settings", {})}["batch_size"]
    assert cell.result is not None
    assert cell.samples_per_class is not None
    images = cell.samples_per_class * len(study["datasets"][cell.pretrain_dataset]["classes"])
    steps = Budget.from_label(cell.budget).steps(images, batch)
    passes = steps + cell.result.metrics.get("extra_passes", 0.0)
    return passes * effective_batch_size(batch, images)


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan
