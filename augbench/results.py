"""A study's results as tables and arrays; no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augbench.errors import AugbenchError
from augbench.protocol.study import FLOOR
from augbench.statistics import Analysis, Condition, analyse, mean_interval, remarks
from augbench.store import PlannedCell, StoredStudy

if TYPE_CHECKING:
    import pandas

__all__ = ["Pair", "StudyResult"]

Pair = tuple[str, str]
"""(D_P, D_F): the names of the data sets of pretraining and finetuning."""


@dataclass(frozen=True)
class StudyResult:
    """The results of one study, read from its store."""

    stored: StoredStudy

    @property
    def cells(self) -> tuple[PlannedCell, ...]:
        """Every planned cell, in the order of the plan."""
        return self.stored.cells

    @property
    def failed(self) -> tuple[PlannedCell, ...]:
        """The cells that failed."""
        return tuple(cell for cell in self.cells if cell.status == "failed")

    @property
    def missing(self) -> tuple[PlannedCell, ...]:
        """The cells that were not computed yet."""
        return tuple(cell for cell in self.cells if cell.status == "missing")

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The pairs (D_P, D_F) of the study."""
        return tuple(
            (pretrain, finetune) for pretrain, finetune in self.stored.description["pairs"]
        )

    @property
    def augmentations(self) -> tuple[str, ...]:
        """The labels of the augmentations, the baseline first."""
        return tuple(item["label"] for item in self.stored.description["augmentations"])

    @property
    def baseline(self) -> str | None:
        """The label of the baseline, if the study has one."""
        label: str | None = self.stored.description["baseline"]
        return label

    @property
    def sizes(self) -> tuple[int, ...]:
        """The samples per class of the sweep."""
        return tuple(self.stored.description["samples_per_class"])

    @property
    def ruler_sizes(self) -> tuple[int, ...]:
        """The further sizes at which only the baseline ran."""
        return tuple(s for s in self.stored.description["ruler_sizes"] if s not in self.sizes)

    @property
    def seeds(self) -> int:
        """How many seeds the study has."""
        return int(self.stored.description["seeds"])

    @cached_property
    def _by_place(self) -> dict[tuple[str, str, str, int | None, int], PlannedCell]:
        return {
            (
                cell.pretrain_dataset,
                cell.finetune_dataset,
                cell.augmentation,
                cell.samples_per_class,
                cell.seed,
            ): cell
            for cell in self.cells
        }

    def cell(
        self, pair: Pair, augmentation: str, samples_per_class: int | None, seed: int
    ) -> PlannedCell | None:
        """One planned cell, or None if the study has none there."""
        return self._by_place.get((*pair, augmentation, samples_per_class, seed))

    def values(
        self,
        pair: Pair,
        augmentation: str,
        sizes: tuple[int | None, ...] | None = None,
        metric: str = "accuracy",
    ) -> NDArray[np.float64]:
        """A metric as [seeds, sizes]; NaN where a cell is missing, failed, or lacks it."""
        wanted = self.sizes if sizes is None else sizes
        values = np.full((self.seeds, len(wanted)), np.nan)
        for i in range(self.seeds):
            for k, size in enumerate(wanted):
                cell = self.cell(pair, augmentation, size, i)
                if cell is not None and cell.status == "ok" and cell.result is not None:
                    values[i, k] = cell.result.metrics.get(metric, math.nan)
        return values

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

    def condition(self, pair: Pair) -> Condition:
        """The condition that a pair is; the first of the study is the primary one."""
        labels = [f"{pretrain} → {finetune}" for pretrain, finetune in (pair, self.pairs[0])]
        primary = pair == self.pairs[0]
        return Condition(labels[0], primary, "" if primary else labels[1])

    def scores(self, pair: Pair, metric: str = "accuracy") -> dict[str, NDArray[np.float64]]:
        """The metric of every augmentation as [seeds, sizes]."""
        return {label: self.values(pair, label, metric=metric) for label in self.augmentations}

    def analysis(self, pair: Pair, *, confidence: float = 0.95) -> Analysis | None:
        """Everything that statistics say of a pair; None without a baseline or any result.

        `augbench.statistics.verdict` puts it in words.
        """
        scores = self.scores(pair)
        if self.baseline is None or all(np.isnan(values).all() for values in scores.values()):
            return None
        with_references = bool(self.stored.description["references"])

        def reference(size: int | None) -> NDArray[np.float64] | None:
            if not with_references:
                return None
            return self.values(pair, str(self.baseline), (size,))[:, 0]

        return analyse(
            scores,
            self.sizes,
            baseline=self.baseline,
            failed=self.failures(pair),
            chance=1 / len(self.stored.description["datasets"][pair[1]]["classes"]),
            condition=self.condition(pair),
            ruler=self.values(pair, self.baseline, self.ruler_sizes) if self.ruler_sizes else None,
            ruler_sizes=self.ruler_sizes,
            floor=reference(FLOOR),
            ceiling=reference(None),
            confidence=confidence,
        )

    def remarks(self, analysis: Analysis) -> tuple[str, ...]:
        """What a reader must know of the study before reading any verdict, a line each."""
        first, lines = self.stored.first_seeds, remarks(analysis)
        if first is not None and first < self.seeds:
            lines += (
                f"Seeds {first} to {self.seeds - 1} were added after the study had been run with "
                f"{first}: p-values hold for a number of seeds that is fixed beforehand.",
            )
        return lines + tuple(self._bills())

    def _bills(self) -> Iterator[str]:
        """What augmentations cost beyond a plain step: they are compared at equal steps."""
        steps = self.stored.description["settings"]["pretrain_steps"]
        for label in self.augmentations:
            passes = self.values(self.pairs[0], label, metric="extra_passes")
            most = 0 if np.isnan(passes).all() else int(np.nanmax(passes))
            if most:
                yield (
                    f"{label} takes {most} forward and backward passes beyond the {steps} steps of "
                    "a pretraining: the comparison is at equal steps, not at equal time."
                )

    def table(self, metric: str = "accuracy", *, confidence: float = 0.95) -> list[dict[str, Any]]:
        """One row per pair, augmentation and size: mean, t interval and n over the seeds."""
        rows = []
        for pair in self.pairs:
            for label in self.augmentations:
                values = self.values(pair, label, metric=metric)
                for size, column in zip(self.sizes, values.T, strict=True):
                    interval = mean_interval(column, confidence=confidence)
                    rows.append(
                        {
                            "pretrain_dataset": pair[0],
                            "finetune_dataset": pair[1],
                            "augmentation": label,
                            "samples_per_class": size,
                            "mean": interval.mean,
                            "lower": interval.lower,
                            "upper": interval.upper,
                            "n": interval.n,
                        }
                    )
        return rows

    def to_pandas(self, metric: str = "accuracy") -> pandas.DataFrame:
        """`table` as a pandas DataFrame; raises `AugbenchError` where pandas is missing."""
        try:
            import pandas
        except ImportError as error:
            raise AugbenchError(
                "pandas is not installed; `pip install augbench[pandas]`, or use .table()"
            ) from error
        return pandas.DataFrame(self.table(metric))
