"""The results of cells, made of what was measured of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from augbench.protocol.cell_result import CellResult, TrainingCurve
from augbench.protocol.evaluation import Measured
from augbench.protocol.metrics import PRIMARY
from augbench.protocol.study import Cell
from augbench.training.recording import check_metrics

__all__ = ["result_of", "trial_result"]


def result_of(
    cell: Cell,
    of_pretraining: Mapping[str, float],
    measured: Measured,
    curves: Mapping[str, TrainingCurve],
) -> CellResult:
    """The result of a cell, with those metrics that its readout has.

    Raises `DivergedError` if one of them is no finite number.
    """
    own = {PRIMARY.name, *cell.judged_by.metrics}
    metrics = {name: value for name, value in measured.metrics.items() if name in own}
    check_metrics(metrics)
    return CellResult(
        cell.key,
        {**of_pretraining, **metrics},
        curves,
        measured.correct,
        predicted=measured.predicted,
    )


def trial_result(cell: Cell, outputs: Tensor, labels: Tensor) -> CellResult:
    """The result of a trial: its accuracy on validation images, and nothing else.

    Outputs are [N, classes], labels [N]. Raises `DivergedError` for outputs that are not finite.
    """
    check_metrics({"output": float(outputs.abs().max())})
    right = (outputs.argmax(dim=1) == labels).cpu().numpy()
    return CellResult(
        cell.key, {PRIMARY.name: float(right.mean())}, {}, np.packbits(right).tobytes()
    )
