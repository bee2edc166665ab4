"""The metrics of a stored study's cells, as arrays over seeds and sizes."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from augbench.datasets.balance import ClassBalance
from augbench.protocol.shift import SHIFT_ACCURACY
from augbench.results._cells import Pair, StudyCells
from augbench.results._classwise import (
    FROM_PREDICTIONS,
    classwise_metrics,
    confusion_of,
    test_labels_of,
)
from augbench.statistics import MeanInterval, mean_interval
from augbench.store import PlannedCell

__all__ = ["StudyMetrics"]


class StudyMetrics(StudyCells):
    """The cells of one study with their metrics, each array computed once. See `StudyResult`."""

    def values(
        self,
        pair: Pair,
        augmentation: str,
        sizes: tuple[int | None, ...] | None = None,
        metric: str | None = None,
    ) -> NDArray[np.float64]:
        """A metric as [seeds, sizes], by default the study's own; NaN where a cell lacks it.

        A cell that is missing or failed has none.
        """
        wanted, name = self.sizes if sizes is None else sizes, metric or self.metric
        columns = [self._column(pair, augmentation, size, name) for size in wanted]
        return np.stack(columns, axis=1) if columns else np.empty((self.seeds, 0))

    def _column(
        self, pair: Pair, augmentation: str, size: int | None, metric: str
    ) -> NDArray[np.float64]:
        """A metric at one size as [seeds]."""

        def read() -> NDArray[np.float64]:
            column = np.full(self.seeds, np.nan)
            for seed in range(self.seeds):
                cell = self.cell(pair, augmentation, size, seed)
                if cell is not None and cell.status == "ok" and cell.result is not None:
                    column[seed] = self.metric_of(cell, metric)
            return column

        return self._once(("column", pair, augmentation, size, metric), read)

    def metric_of(self, cell: PlannedCell, name: str) -> float:
        """A metric of one cell; NaN where it has none."""
        if cell.result is None or cell.status != "ok":
            return math.nan
        if name == SHIFT_ACCURACY:
            # Of the study's own corruptions: the store may hold numbers under more.
            parts = [cell.result.metrics.get(one.metric, math.nan) for one in self.shift_tests]
            return float(np.mean(parts)) if parts else math.nan
        return (
            self._classwise(cell).get(name, math.nan)
            if name in FROM_PREDICTIONS
            else cell.result.metrics.get(name, math.nan)
        )

    def _classwise(self, cell: PlannedCell) -> dict[str, float]:
        place = (cell.key, cell.finetune_dataset)  # data sets of one content may be named apart
        return self._once(("classwise", place), lambda: classwise_metrics(self, cell))

    def has_predictions(self, cell: PlannedCell) -> bool:
        """True for a cell whose classes can be told apart: predicted and true ones are known."""
        return bool(self._classwise(cell))

    def test_labels(self, dataset: str) -> NDArray[np.int64] | None:
        """The true classes of a data set's test images [N]; None where they are not known."""
        return self._once(("test labels", dataset), lambda: test_labels_of(self, dataset))

    def confusion(self, cell: PlannedCell) -> NDArray[np.int64] | None:
        """Test images by true class (row) and predicted class: [classes, classes].

        None where the predicted classes or the true ones are not known.
        """
        return confusion_of(self, cell)

    def confusions(
        self, pair: Pair, augmentation: str, samples_per_class: int | None
    ) -> NDArray[np.int64]:
        """The confusion matrices of all seeds that have one: [seeds, classes, classes]."""
        cells = [
            self.cell(pair, augmentation, samples_per_class, seed) for seed in range(self.seeds)
        ]
        counts = [self.confusion(cell) for cell in cells if cell is not None]
        known = [one for one in counts if one is not None]
        classes = len(self.stored.description["datasets"][pair[1]]["classes"])
        return np.stack(known) if known else np.empty((0, classes, classes), np.int64)

    def balance(self, pair: Pair) -> ClassBalance | None:
        """The test images of each class of D_F; None where the true classes are not known."""
        labels = self.test_labels(pair[1])
        if labels is None:
            return None
        return ClassBalance.of(labels, self.stored.description["datasets"][pair[1]]["classes"])

    def intervals(
        self,
        pair: Pair,
        augmentation: str,
        sizes: tuple[int | None, ...] | None = None,
        metric: str | None = None,
        *,
        factor: float = 1,
        confidence: float = 0.95,
    ) -> tuple[MeanInterval, ...]:
        """The mean of `factor` × a metric at each size, with its t interval over seeds.

        The metric is the study's own by default.
        """
        name = metric or self.metric

        def interval(size: int | None) -> MeanInterval:
            column = factor * self._column(pair, augmentation, size, name)
            return mean_interval(column, confidence=confidence)

        return tuple(
            self._once(
                ("interval", pair, augmentation, size, name, factor, confidence),
                partial(interval, size),
            )
            for size in (self.sizes if sizes is None else sizes)
        )

    def scores(self, pair: Pair, metric: str | None = None) -> dict[str, NDArray[np.float64]]:
        """A metric, by default the study's own, of every augmentation as [seeds, sizes]."""
        return {label: self.values(pair, label, metric=metric) for label in self.augmentations}

    def failures(self, pair: Pair) -> dict[str, NDArray[np.bool_]]:
        """The failed cells of every augmentation as [seeds, sizes]."""
        return {
            label: np.array(
                [
                    [
                        (cell := self.cell(pair, label, size, i)) is not None
                        and cell.status == "failed"
                        for size in self.sizes
                    ]
                    for i in range(self.seeds)
                ]
            )
            for label in self.augmentations
        }
