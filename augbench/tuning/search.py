"""The search of a study: its trials, what they choose, and the cells of what was chosen.

A trial is a cell of seeds that are never reported (or, within seeds, of the reported seed), trained
under other settings, and measured on validation images or folds: see `protocol.study.Trial`. Once
all are computed, the best trial of each place is chosen, and the study's cells are planned once
more under its settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augbench.protocol.readouts import READOUTS
from augbench.protocol.references import reference
from augbench.protocol.study import FIRST_TUNING_SEED, Arm, Cell, Study, Trial
from augbench.tuning.choosing import choose, score_table
from augbench.tuning.folds import MOST_FOLDS, folds_of
from augbench.tuning.spaces import Dimension

__all__ = ["Place", "Score", "Search", "chosen", "has_folds", "scores_by_place", "tuning_seeds"]


class Place(NamedTuple):
    """The part of a study that one choice is made for.

    `finetune_samples` is None where the study has but one number; `seed` is None where one choice
    serves all seeds.
    """

    pretrain_dataset: str
    finetune_dataset: str
    arm: str
    budget: str
    readout: str
    finetune_samples: int | None
    samples_per_class: int
    seed: int | None = None


class Score(NamedTuple):
    """The validation accuracy of a trial's cell, NaN where it is missing."""

    place: Place
    trial: int
    seed: int
    fold: int
    accuracy: float


@dataclass(frozen=True)
class Search:
    """A search for good settings, at an equal budget: as many `trials` for every arm and size.

    `arms` are, for the label of each arm, that arm under each trial's settings, the defaults first;
    `spaces` the dimensions of each. Trials have `seeds` of their own, or are made `within` every
    reported seed. `validation` maps the number of finetuning images of each class, for each pair of
    content hashes, to the validation images of each class, of which `asked` were asked for;
    `outside` are the pretraining images of each class that these avoid where D_P is D_F.
    `stages_below` are, by the label of each arm, the stages of its base, which is not tuned.
    """

    arms: Mapping[str, tuple[Arm, ...]]
    spaces: Mapping[str, tuple[Dimension, ...]]
    values: Mapping[str, tuple[Mapping[str, float], ...]]
    trials: int
    seeds: int
    within: bool
    outside: int
    validation: Mapping[tuple[str, str, int], int]
    asked: int
    stages_below: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Search: {self.trials} trials of each of {len(self.arms)} arms>"

    @property
    def warnings(self) -> tuple[str, ...]:
        """A line where there are fewer validation images than were asked for."""
        fewest = min(self.validation.values(), default=self.asked)
        if fewest >= self.asked:
            return ()
        return (
            f"trials are judged by {fewest} validation images of each class, not {self.asked}: no "
            "more are left beside those that are trained on",
        )

    def most_trainings(self, readout: str) -> int:
        """The trainings, at most, that one choice for a readout takes."""
        return (
            self.trials
            * (1 if self.within else self.seeds)
            * (MOST_FOLDS if has_folds(readout) else 1)
        )

    def cells(self, study: Study) -> Iterator[Cell]:
        """Every trial, seed by seed."""
        for cell in study.cells():
            if cell.seed == 0 or self.within:
                yield from self._trials(cell)

    def _trials(self, cell: Cell) -> Iterator[Cell]:
        """The trials that choose for a cell; with seeds of their own, for those of its place."""
        if reference(cell.samples_per_class) is not None:
            return  # floor and ceiling are as they are
        seeds = (cell.seed,) if self.within else tuning_seeds(self.seeds)
        for seed in seeds:
            for number, arm in enumerate(self.arms[cell.arm.label]):
                for trial in self._kinds(cell, number):
                    yield replace(cell, arm=arm, seed=seed, trial=trial)

    def _kinds(self, cell: Cell, number: int) -> Iterator[Trial]:
        if cell.judged_by.on_finetuning_data:
            pair = cell.pretrain.content_hash, cell.finetune.content_hash
            size = cell.settings.finetune_samples_per_class
            outside = self.outside if pair[0] == pair[1] else 0
            yield Trial(number, self.validation[(*pair, size)], outside)
            return
        assert cell.samples_per_class is not None  # no reference
        folds = folds_of(cell.samples_per_class)
        for fold in range(folds):
            yield Trial(number, fold=fold, folds=folds)

    def tuned_cells(self, study: Study, accuracies: Mapping[str, float]) -> list[Cell]:
        """The cells of the study under what the trials choose, seed by seed.

        `accuracies` are those of the trials' cells by their keys. A place of which no trial is
        complete, and which has nothing to choose by, is left out.
        """
        scores = (
            Score(
                place_of(cell, within=self.within),
                cell.trial.number,
                cell.seed,
                cell.trial.fold,
                accuracies.get(cell.key, np.nan),
            )
            for cell in self.cells(study)
            if cell.trial is not None
        )
        choices = chosen(scores_by_place(scores))
        tuned = []
        for cell in study.cells():
            if reference(cell.samples_per_class) is not None:
                continue
            number = choices.get(place_of(cell, within=self.within))
            if number is None:
                number = self._by_next_size(study, cell, choices)
            if number is not None:
                arm = self.arms[cell.arm.label][number]
                tuned.append(replace(cell, arm=arm, chosen=number))
        return tuned

    def under_trial(self, study: Study, number: int) -> Iterator[Cell]:
        """The cells of the study that are tuned, under the settings of one trial."""
        for cell in study.cells():
            if reference(cell.samples_per_class) is None:
                yield replace(cell, arm=self.arms[cell.arm.label][number], chosen=number)

    def _by_next_size(self, study: Study, cell: Cell, choices: Mapping[Place, int]) -> int | None:
        """The choice of the next size, where one image of each class makes no folds."""
        if cell.judged_by.on_finetuning_data or cell.samples_per_class != 1:
            return None
        place = place_of(cell, within=self.within)
        for size in sorted({*study.samples_per_class, *study.ruler_sizes}):
            found = choices.get(place._replace(samples_per_class=size))
            if found is not None:
                return found
        return None

    def to_json(self) -> dict[str, Any]:
        """A description for the store and for reports."""
        below = {label: number for label, number in self.stages_below.items() if number}
        return {
            "trials": self.trials,
            "seeds": None if self.within else self.seeds,
            "validation": [[*key, count] for key, count in sorted(self.validation.items())],
            "asked": self.asked,
            "outside": self.outside,
            "spaces": {
                label: {
                    one.name: [one.low, one.high, "log" if one.log else "linear"] for one in space
                }
                for label, space in self.spaces.items()
            },
            "values": {label: list(map(dict, values)) for label, values in self.values.items()},
            **({"stages_below": below} if below else {}),
        }


def tuning_seeds(count: int) -> range:
    """The seeds of trials that are no seeds of a report."""
    return range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + count)


def place_of(cell: Cell, *, within: bool) -> Place:
    """The place that a cell's trials choose for."""
    assert cell.samples_per_class is not None  # a ceiling is not tuned
    return Place(
        cell.pretrain.name,
        cell.finetune.name,
        cell.arm.label,
        cell.budget.label if cell.budget else "",
        cell.readout,
        cell.finetune_size,
        cell.samples_per_class,
        cell.seed if within else None,
    )


def scores_by_place(scores: Iterable[Score]) -> dict[Place, NDArray[np.float64]]:
    """The scores of each place, see `score_table`."""
    found: dict[Place, list[tuple[int, int, float]]] = {}
    for one in scores:
        found.setdefault(one.place, []).append((one.seed, one.trial, one.accuracy))
    return {place: score_table(entries) for place, entries in found.items()}


def chosen(tables: Mapping[Place, NDArray[np.float64]]) -> dict[Place, int]:
    """The choice of each place of which some trial is complete."""
    return {
        place: choose(table)
        for place, table in tables.items()
        if (~np.isnan(table)).all(axis=0).any()
    }


def has_folds(readout: str) -> bool:
    """True for a readout whose trials are measured on folds of the pretraining images."""
    return not READOUTS[readout].on_finetuning_data
