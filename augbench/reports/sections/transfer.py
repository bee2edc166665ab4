"""Transfer: the effect where the backbone was pretrained beside that where it is finetuned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from augbench.protocol.metrics import PRIMARY
from augbench.protocol.readouts import READOUTS
from augbench.reports._tables import (
    ARM_AND_SIZE,
    Column,
    Entry,
    Table,
    difference_entry,
    with_collapses,
)
from augbench.reports.sections._section import Report, Section
from augbench.results import Pair
from augbench.statistics import transfer

__all__ = ["Transfer"]

_TITLES = {"linear": "finetuned head", "knn": "nearest neighbours", "full": "full finetuning"}


def _collapsed(report: Report, pair: Pair) -> dict[str, NDArray[np.int_]]:
    """For each arm, the collapsed cells of it and the baseline at each size."""
    low = {label: one.sum(axis=0) for label, one in report.result.collapsed(pair).items()}
    return {label: one + low[str(report.result.baseline)] for label, one in low.items()}


class Transfer(Section):
    """Paired differences in accuracy of the pretraining head and of the finetuned head."""

    name = "transfer"

    def table(self, report: Report, pair: Pair) -> Table | None:
        """The effect on the pretraining head beside that on the finetuned head."""
        result, confidence = report.result, report.confidence
        if result.baseline is None or not READOUTS[result.view.readout].on_finetuning_data:
            return None  # the pretraining head beside itself
        heads = ("pretrain_accuracy", PRIMARY.name)
        plain = [result.values(pair, result.baseline, metric=name) for name in heads]
        rows, low = [], _collapsed(report, pair)
        for label in result.augmentations:
            if label == result.baseline:
                continue
            arms = [result.values(pair, label, metric=name) for name in heads]
            for k, size in enumerate(result.sizes):
                both = transfer(
                    arms[0][:, k],
                    plain[0][:, k],
                    arms[1][:, k],
                    plain[1][:, k],
                    confidence=confidence,
                )
                rows.append(
                    (
                        Entry(label, label),
                        Entry(str(size), size),
                        difference_entry(both.pretrained),
                        with_collapses(difference_entry(both.finetuned), int(low[label][k])),
                        Entry(both.agreement, both.agreement),
                    )
                )
        if not any(row[2].n for row in rows):
            return None
        return Table(
            self.name,
            f"Transfer: the effect on {pair[0]}, where it trains, beside that on {pair[1]}",
            (
                *ARM_AND_SIZE,
                Column(
                    "pretrained", "pretraining head", "Paired difference of its own test accuracy"
                ),
                Column(
                    "finetuned",
                    _TITLES[result.view.readout],
                    "Paired difference of the test accuracy",
                ),
                Column(
                    "agreement", "signs", "Compared where both intervals leave out 0", words=True
                ),
            ),
            tuple(rows),
            "In accuracy points, paired by seed.",
        )
