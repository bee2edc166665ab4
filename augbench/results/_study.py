"""A stored study and everything that reports read of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from augbench.errors import AugbenchError
from augbench.protocol.metrics import PRIMARY
from augbench.protocol.references import CEILING, FLOOR, Reference
from augbench.results._budgets import cut_short_of, interactions_of
from augbench.results._cost import Cost, costs_of
from augbench.results._plain import cell_rows, distinct_environments, study_plan
from augbench.results._remarks import remarks_of
from augbench.statistics import (
    Analysis,
    Condition,
    CutShort,
    Interaction,
    MeanInterval,
    analyse,
    collapsed,
    mean_interval,
)
from augbench.store import PlannedCell, StoredStudy

if TYPE_CHECKING:
    import pandas

__all__ = ["Pair", "StudyResult"]

_T = TypeVar("_T")

Pair = tuple[str, str]
"""(D_P, D_F): the names of the data sets of pretraining and finetuning."""


@dataclass(frozen=True)
class StudyResult:
    """The results of one study, read from its store: at one budget, by default the longest.

    Tables, intervals and analyses are computed when first asked for and kept, so that a page, the
    terminal and an export of one study share them; what is returned may be changed by the caller.
    """

    stored: StoredStudy
    at_budget: str | None = None

    @property
    def budgets(self) -> tuple[str, ...]:
        """The lengths of pretraining in words, the shortest first."""
        named = self.stored.description.get("budgets")
        return tuple(named or dict.fromkeys(cell.budget for cell in self.stored.cells))

    @property
    def budget(self) -> str:
        """The length of pretraining that tables and analyses are about."""
        return self.at_budget or (self.budgets or ("",))[-1]

    def at(self, budget: str) -> StudyResult:
        """The same study at another budget, one of `budgets`."""
        if budget == self.budget:
            return self
        return self._once(("at", budget), lambda: replace(self, at_budget=budget))

    @cached_property
    def cells(self) -> tuple[PlannedCell, ...]:
        """Every planned cell of any budget, in the order of the plan.

        Its arm is called as reports call it.
        """
        shown = self._shown
        return tuple(
            cell
            if shown[cell.augmentation] == cell.augmentation
            else replace(cell, augmentation=shown[cell.augmentation])
            for cell in self.stored.cells
        )

    @cached_property
    def _shown(self) -> dict[str, str]:
        """The label of each arm as reports print it, by the one that is stored."""
        return {arm["label"]: arm["shown"] for arm in self.stored.description["arms"]}

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
        """The labels of the arms, the baseline first; in a grid, they tell every value."""
        return tuple(self._shown.values())

    @property
    def baseline(self) -> str | None:
        """The label of the baseline, if the study has one."""
        label: str | None = self.stored.description["baseline"]
        return label if label is None else self._shown[label]

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
        """The number of seeds of the study."""
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
            if cell.budget == self.budget
        }

    @cached_property
    def _kept(self) -> dict[Hashable, Any]:
        return {}

    def _once(self, key: Hashable, compute: Callable[[], _T]) -> _T:
        """The value of `compute`, which is called once for each key."""
        if key not in self._kept:
            self._kept[key] = compute()
        kept: _T = self._kept[key]
        return kept

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
        metric: str = PRIMARY.name,
    ) -> NDArray[np.float64]:
        """A metric as [seeds, sizes]; NaN where a cell is missing, failed, or lacks it."""
        wanted = self.sizes if sizes is None else sizes
        columns = [self._column(pair, augmentation, size, metric) for size in wanted]
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
                    column[seed] = cell.result.metrics.get(metric, math.nan)
            return column

        return self._once(("column", pair, augmentation, size, metric), read)

    def intervals(
        self,
        pair: Pair,
        augmentation: str,
        sizes: tuple[int | None, ...] | None = None,
        metric: str = PRIMARY.name,
        *,
        factor: float = 1,
        confidence: float = 0.95,
    ) -> tuple[MeanInterval, ...]:
        """The mean of `factor` × a metric at each size, with its t interval over seeds."""

        def interval(size: int | None) -> MeanInterval:
            column = factor * self._column(pair, augmentation, size, metric)
            return mean_interval(column, confidence=confidence)

        return tuple(
            self._once(
                ("interval", pair, augmentation, size, metric, factor, confidence),
                partial(interval, size),
            )
            for size in (self.sizes if sizes is None else sizes)
        )

    def collapsed(
        self, pair: Pair, sizes: tuple[int | None, ...] | None = None
    ) -> dict[str, NDArray[np.bool_]]:
        """The cells of every arm near chance where others learn, as [seeds, sizes].

        The floor, which is not trained, never collapses.
        """
        wanted = self.sizes if sizes is None else sizes

        def find() -> dict[str, NDArray[np.bool_]]:
            arms = {label: self.values(pair, label, wanted) for label in self.augmentations}
            trained = np.array([size != FLOOR.samples_per_class for size in wanted])
            found = collapsed(arms, self.chance(pair))
            return {label: low & trained for label, low in found.items()}

        return dict(self._once(("collapsed", pair, wanted), find))

    @property
    def collapsed_cells(self) -> tuple[PlannedCell, ...]:
        """The collapsed cells of the sweep at this budget, in the order of the plan."""
        return tuple(
            cell
            for cell in self.cells
            if cell.budget == self.budget
            and cell.samples_per_class in self.sizes
            and self.collapsed((cell.pretrain_dataset, cell.finetune_dataset))[cell.augmentation][
                cell.seed, self.sizes.index(cell.samples_per_class)
            ]
        )

    def chance(self, pair: Pair) -> float:
        """The accuracy of guessing on D_F."""
        return 1 / len(self.stored.description["datasets"][pair[1]]["classes"])

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
        """The condition that a pair is at this budget; the first pair at the longest is primary."""
        wanted = ((pair, self.budget), (self.pairs[0], self.budgets[-1]))
        labels = [f"{one[0]} → {one[1]}" for one, _ in wanted]
        if len(self.budgets) > 1:
            labels = [
                f"{label}, {budget}" for label, (_, budget) in zip(labels, wanted, strict=True)
            ]
        primary = wanted[0] == wanted[1]
        return Condition(labels[0], primary, "" if primary else labels[1])

    def interactions(self, pair: Pair, *, confidence: float = 0.95) -> tuple[Interaction, ...]:
        """How every shorter budget changes each difference; none with one budget or no baseline.

        Arms with a budget of their own are left out: their cells are the same at each.
        """
        return self._once(
            ("interactions", pair, confidence),
            lambda: interactions_of(self, pair, confidence=confidence),
        )

    def cut_short(self, pair: Pair, *, confidence: float = 0.95) -> tuple[CutShort, ...]:
        """For every arm and size of the sweep, whether pretraining was plainly cut short."""
        return self._once(
            ("cut short", pair, confidence),
            lambda: cut_short_of(self, pair, confidence=confidence),
        )

    def costs(self, pair: Pair, *, confidence: float = 0.95) -> tuple[Cost, ...]:
        """The cost and accuracy of every arm at every budget, size by size."""
        return self._once(
            ("costs", pair, confidence), lambda: costs_of(self, pair, confidence=confidence)
        )

    def has_own_budget(self, label: str) -> bool:
        """True for an arm that is pretrained equally long at every budget of the study."""
        cells = [cell for cell in self.cells if cell.augmentation == label]
        keys = {cell.key for cell in cells if cell.samples_per_class != FLOOR.samples_per_class}
        return len(self.budgets) > 1 and len(keys) * len(self.budgets) <= len(cells)

    def scores(self, pair: Pair, metric: str = PRIMARY.name) -> dict[str, NDArray[np.float64]]:
        """The metric of every augmentation as [seeds, sizes]."""
        return {label: self.values(pair, label, metric=metric) for label in self.augmentations}

    def analysis(self, pair: Pair, *, confidence: float = 0.95) -> Analysis | None:
        """The analysis of a pair; None without a baseline or any result.

        `augbench.statistics.verdict` puts it in words.
        """
        return self._once(
            ("analysis", pair, confidence), lambda: self._analyse(pair, confidence=confidence)
        )

    def _analyse(self, pair: Pair, *, confidence: float) -> Analysis | None:
        scores = self.scores(pair)
        if self.baseline is None or all(np.isnan(values).all() for values in scores.values()):
            return None
        with_references = bool(self.stored.description["references"])

        def values_of(one: Reference) -> NDArray[np.float64] | None:
            if not with_references:
                return None
            return self.values(pair, str(self.baseline), (one.samples_per_class,))[:, 0]

        return analyse(
            scores,
            self.sizes,
            baseline=self.baseline,
            failed=self.failures(pair),
            chance=self.chance(pair),
            condition=self.condition(pair),
            ruler=self.values(pair, self.baseline, self.ruler_sizes) if self.ruler_sizes else None,
            ruler_sizes=self.ruler_sizes,
            floor=values_of(FLOOR),
            ceiling=values_of(CEILING),
            confidence=confidence,
        )

    def remarks(self, analysis: Analysis) -> tuple[str, ...]:
        """Lines that a reader must know with any verdict: what limits it, what it cost."""
        return remarks_of(self, analysis)

    def table(
        self, metric: str = PRIMARY.name, *, confidence: float = 0.95
    ) -> list[dict[str, Any]]:
        """One row per pair, augmentation and size: mean, t interval and n over the seeds."""
        return [
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
            for pair in self.pairs
            for label in self.augmentations
            for size, interval in zip(
                self.sizes,
                self.intervals(pair, label, metric=metric, confidence=confidence),
                strict=True,
            )
        ]

    def plan(self) -> dict[str, Any]:
        """The study without its cells: number, time, command and description."""
        return study_plan(self)

    def cell_rows(self) -> list[dict[str, Any]]:
        """One row for each planned cell, in the order of the plan, with the same columns in each.

        `samples_per_class` is None for the ceiling (all of D_P) and 0 for the floor. A value that
        a cell lacks is None. `environment` is an index of `environments()`, from 0.
        """
        return [dict(row) for row in self._once("rows", lambda: cell_rows(self))]

    def environments(self) -> list[dict[str, Any]]:
        """The environments that the study's cells were computed in, in the order of the plan."""
        kept = self._once("environments", lambda: distinct_environments(self))
        return [dict(environment) for environment in kept]

    def to_pandas(self, metric: str = PRIMARY.name) -> pandas.DataFrame:
        """`table` as a pandas DataFrame; raises `AugbenchError` where pandas is missing."""
        try:
            import pandas
        except ImportError as error:
            raise AugbenchError(
                "pandas is not installed; `pip install augbench[pandas]`, or use .table()"
            ) from error
        return pandas.DataFrame(self.table(metric))
