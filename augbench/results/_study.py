"""A stored study and everything that reports read of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augbench.errors import AugbenchError
from augbench.protocol.references import CEILING, FLOOR, Reference
from augbench.results._budgets import cut_short_of, interactions_of
from augbench.results._cells import Pair
from augbench.results._conditions import changes_between, readings_of, tuning_changes_of
from augbench.results._cost import Cost, costs_of
from augbench.results._learning import StudyLearning
from augbench.results._plain import cell_rows, distinct_environments, study_plan, trial_rows
from augbench.results._remarks import other_studies_of, remarks_of
from augbench.results._shift import UnderShift, under_shift
from augbench.results._shown import Shown
from augbench.results._tuning import Tuning
from augbench.results._views import View
from augbench.statistics import (
    Analysis,
    BestArms,
    Condition,
    CutShort,
    Interaction,
    PairDifference,
    all_pairs,
    analyse,
    best_arms,
)

if TYPE_CHECKING:
    import pandas

__all__ = ["Pair", "StudyResult"]


@dataclass(frozen=True, repr=False)
class StudyResult(Shown, StudyLearning):
    """The results of one study, read from its store: at one budget, by default the primary one, and
    in one view, by default the first readout on the most finetuning images, tuned where it is.

    Tables, intervals and analyses are about one `metric`, by default accuracy; raises `UsageError`
    for one that is not among `augbench.protocol.metrics.COMPARABLE`. Every arm is compared with the
    study's baseline, or with the arm that the result is `against`, which makes it exploratory.

    Tables, intervals and analyses are computed when first asked for and kept, so that a page, the
    terminal and an export of one study share them; what is returned may be changed by the caller.

    For people there are `verdict()`, `best(size)` and `plot()`; printed, or as the last line of a
    notebook's cell, it shows its answer.
    """

    def condition(self, pair: Pair) -> Condition:
        """The condition that a pair is at this budget, in this view.

        The first pair, at the primary budget and in the first view, is primary, against the
        study's own baseline.
        """
        wanted = (
            (pair, self.budget, self.view, self.baseline),
            (self.pairs[0], self.primary_budget, self.views[0], self.own_baseline),
        )
        labels = [f"{one[0]} → {one[1]}" for one, *_ in wanted]
        if len(self.budgets) > 1:
            labels = [
                f"{label}, {budget}" for label, (_, budget, *_) in zip(labels, wanted, strict=True)
            ]
        if len(self.views) > 1:
            labels = [f"{label}, {one[2].label}" for label, one in zip(labels, wanted, strict=True)]
        if self.baseline != self.own_baseline:
            labels = [
                f"{label}, against {one[3]}" if one[3] is not None else f"{label}, no baseline"
                for label, one in zip(labels, wanted, strict=True)
            ]
        primary = wanted[0] == wanted[1]
        return Condition(labels[0], primary, "" if primary else labels[1])

    def interactions(self, pair: Pair, *, confidence: float = 0.95) -> tuple[Interaction, ...]:
        """How the difference at the primary budget departs from that at each other one.

        None with one budget or no baseline.

        Arms with a budget of their own are left out: their cells are the same at each.
        """
        return self._once(
            ("interactions", pair, confidence),
            lambda: interactions_of(self, pair, confidence=confidence),
        )

    @property
    def readings(self) -> tuple[View, ...]:
        """This view, and the others that are tuned as it is, or not, and have its metric."""
        return readings_of(self)

    def readout_changes(self, pair: Pair, *, confidence: float = 0.95) -> tuple[Interaction, ...]:
        """The change of each difference from every other of `readings` to this one.

        Conditions are named by `View.reading`.
        """
        at = {view.reading: self.at(view=view) for view in self.readings[::-1]}
        return self._once(
            ("readout changes", pair, confidence),
            lambda: changes_between(at, pair, confidence=confidence),
        )

    @property
    def tuning(self) -> Tuning | None:
        """The tuning of the study, at this budget and in this reading; None where it is not."""
        if "tuning" not in self.stored.description:
            return None
        return self._once("tuning", lambda: Tuning(self))

    def tuning_changes(self, pair: Pair, *, confidence: float = 0.95) -> tuple[Interaction, ...]:
        """The change of each difference from the defaults to tuned settings, in this reading."""
        return self._once(
            ("tuning changes", pair, confidence),
            lambda: tuning_changes_of(self, pair, confidence=confidence),
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

    def under_shift(self, pair: Pair, *, confidence: float = 0.95) -> UnderShift | None:
        """The accuracies on corrupted test images at the largest size; None where there are none.

        Whatever the study's metric is. Differences are tested as one exploratory family.
        """
        return self._once(
            ("under shift", pair, confidence),
            lambda: under_shift(self, pair, confidence=confidence),
        )

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

        def values_of(one: Reference) -> NDArray[np.float64] | None:
            if not self.has_references:
                return None
            return self.values(pair, str(self.baseline), (one.samples_per_class,))[:, 0]

        return analyse(
            scores,
            self.sizes,
            baseline=self.baseline,
            failed=self.failures(pair),
            chance=self.guessing(pair),
            scale=self.scale,
            collapses=self.collapsed(pair),
            unlearnt=self.unlearnt(pair, confidence=confidence),
            condition=self.condition(pair),
            ruler=self.values(pair, self.baseline, self.ruler_sizes) if self.ruler_sizes else None,
            ruler_sizes=self.ruler_sizes,
            floor=values_of(FLOOR),
            ceiling=values_of(CEILING),
            confidence=confidence,
        )

    def best_arms(self, pair: Pair, *, confidence: float = 0.95) -> BestArms | None:
        """The arms that may be the best at each size, by the study's metric, with that confidence.

        `best` picks one size. None without two arms that have results.
        `augbench.statistics.best_line` says it in words.
        """

        def find() -> BestArms | None:
            scores = self.scores(pair)
            if sum(not np.isnan(values).all() for values in scores.values()) < 2:
                return None
            return best_arms(
                scores,
                self.sizes,
                failed=self.failures(pair),
                chance=self.guessing(pair),
                lower_is_better=self.scale.lower_is_better,
                alpha=round(1 - confidence, 12),
            )

        return self._once(("best", pair, confidence), find)

    def pairwise(self, pair: Pair, *, confidence: float = 0.95) -> tuple[PairDifference, ...]:
        """The areas under the curves of any two arms compared, all pairs as one family.

        Exploratory; none without two arms that have results.
        """

        def find() -> tuple[PairDifference, ...]:
            scores = {
                label: values
                for label, values in self.scores(pair).items()
                if not np.isnan(values).all()
            }
            if len(scores) < 2:
                return ()
            return all_pairs(
                scores,
                self.sizes,
                failed={label: self.failures(pair)[label] for label in scores},
                chance=self.guessing(pair),
                confidence=confidence,
            )

        return self._once(("pairwise", pair, confidence), find)

    def remarks(self, analysis: Analysis) -> tuple[str, ...]:
        """Lines that a reader must know with any verdict: what limits it, what it cost."""
        return remarks_of(self, analysis)

    @property
    def other_studies(self) -> str:
        """A line on which of its store's studies this is, and how to see another; "" for one."""
        return other_studies_of(self)

    def table(self, metric: str | None = None, *, confidence: float = 0.95) -> list[dict[str, Any]]:
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

    def trial_rows(self) -> list[dict[str, Any]]:
        """One row for each planned trial, seed and fold, in the order of the plan.

        `trial` counts from 0, the arm at its defaults; `values` are those of the tuned parameters,
        none for trial 0. `validation_accuracy` is a share, None where it is not computed.
        """
        return trial_rows(self)

    def environments(self) -> list[dict[str, Any]]:
        """The environments that the study's cells were computed in, in the order of the plan."""
        kept = self._once("environments", lambda: distinct_environments(self))
        return [dict(environment) for environment in kept]

    def to_pandas(self, metric: str | None = None) -> pandas.DataFrame:
        """`table` as a pandas DataFrame; raises `AugbenchError` where pandas is missing."""
        try:
            import pandas
        except ImportError as error:
            raise AugbenchError(
                "pandas is not installed; `pip install augbench[pandas]`, or use .table()"
            ) from error
        return pandas.DataFrame(self.table(metric))
