"""Class by class: what a study's cells say of each class of D_F, from their predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from augbench.labels import decode
from augbench.protocol.shift import SHIFT_ACCURACY
from augbench.statistics import balanced_accuracy, confusion_matrix, macro_f1

if TYPE_CHECKING:
    from augbench.datasets.contract import DatasetInfo
    from augbench.protocol.cell_result import CellResult
    from augbench.protocol.shift import ShiftTest
    from augbench.results._metrics import StudyMetrics
    from augbench.store import PlannedCell

__all__ = [
    "FROM_PREDICTIONS",
    "classwise_metrics",
    "confusion_of",
    "metric_of_result",
    "test_labels_of",
]

FROM_PREDICTIONS = {"balanced_accuracy": balanced_accuracy, "macro_f1": macro_f1}
"""The function that gives each of these metrics from a confusion matrix."""


def test_labels_of(result: StudyMetrics, dataset: str) -> NDArray[np.int64] | None:
    """See `StudyResult.test_labels`."""
    told = result.stored.description["datasets"][dataset]
    data = result.stored.test_labels.get(dataset)
    return None if data is None else decode(data, told["test_size"], len(told["classes"]))


def confusion_of(result: StudyMetrics, cell: PlannedCell) -> NDArray[np.int64] | None:
    """See `StudyResult.confusion`."""
    labels = result.test_labels(cell.finetune_dataset)
    if cell.status != "ok" or cell.result is None or not cell.result.predicted or labels is None:
        return None
    classes = len(result.stored.description["datasets"][cell.finetune_dataset]["classes"])
    try:
        predicted = decode(cell.result.predicted, len(labels), classes)
    except ValueError:  # of another number of images or classes: written by another program
        return None
    return confusion_matrix(labels, predicted, classes)


def classwise_metrics(result: StudyMetrics, cell: PlannedCell) -> dict[str, float]:
    """The metrics of a cell that come from its predictions; none where these are not known."""
    counts = confusion_of(result, cell)
    if counts is None:
        return {}
    return {name: compute(counts) for name, compute in FROM_PREDICTIONS.items()}


def metric_of_result(
    result: CellResult, name: str, dataset: DatasetInfo, tests: Sequence[ShiftTest]
) -> float:
    """A metric of a cell that was just computed; NaN where it has none.

    `dataset` is the one that it was measured on, `tests` are the study's corruptions of it.
    """
    if name == SHIFT_ACCURACY:
        parts = [result.metrics.get(one.metric, math.nan) for one in tests]
        return float(np.mean(parts)) if parts else math.nan
    if name not in FROM_PREDICTIONS:
        return result.metrics.get(name, math.nan)
    if not result.predicted or not dataset.test_labels:
        return math.nan
    size, classes = dataset.test_size, len(dataset.classes)
    labels, predicted = (
        decode(data, size, classes) for data in (dataset.test_labels, result.predicted)
    )
    return FROM_PREDICTIONS[name](confusion_matrix(labels, predicted, classes))
