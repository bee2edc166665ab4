"""The tuning of a study as reports read it: its design, its trials, and what they chose."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augbench.options import Settings, options_of
from augbench.protocol.metrics import PRIMARY
from augbench.statistics import Sensitivity, best_of, sensitivity
from augbench.tuning.choosing import score_table
from augbench.tuning.search import has_folds
from augbench.tuning.spaces import TUNABLE, Dimension, default_of

if TYPE_CHECKING:
    from augbench.results._study import Pair, StudyResult
    from augbench.store import PlannedCell

__all__ = ["Tuning"]


@dataclass(frozen=True)
class Tuning:
    """The tuning of a study, at the budget and in the reading of one `result`.

    Trials are numbered from 0, which is an arm at its defaults.
    """

    result: StudyResult

    def __repr__(self) -> str:
        return f"<Tuning: {self.trials} trials of each arm and size, {self.seeds} seeds to choose>"

    @property
    def _told(self) -> Mapping[str, Any]:
        told: Mapping[str, Any] = self.result.stored.description["tuning"]
        return told

    @property
    def trials(self) -> int:
        """The trials of every arm and size that has anything to tune."""
        return int(self._told["trials"])

    @property
    def within(self) -> bool:
        """True where every seed of the report chose for itself."""
        return self._told["seeds"] is None

    @property
    def seeds(self) -> int:
        """The seeds that choose: tuning seeds, or within seeds those of the report."""
        return self.result.seeds if self.within else int(self._told["seeds"])

    @property
    def complete(self) -> bool:
        """True once the trials have chosen: a study has tuned results, computed or planned."""
        return any(view.tuned for view in self.result.views)

    @cached_property
    def _arms(self) -> dict[str, Mapping[str, Any]]:
        return {arm["shown"]: arm for arm in self.result.stored.description["arms"]}

    def spaces(self, arm: str) -> tuple[Dimension, ...]:
        """The parameters that an arm is tuned in."""
        told = self._told["spaces"].get(self._arms[arm]["label"], {})
        return tuple(
            Dimension(name, low, high, scale == "log") for name, (low, high, scale) in told.items()
        )

    def values(self, arm: str) -> list[dict[str, float]]:
        """The values of each trial of an arm by parameter; trial 0 has none, see `default`."""
        return [dict(one) for one in self._told["values"][self._arms[arm]["label"]]]

    def default(self, arm: str, name: str) -> float:
        """The default of a tuned parameter, which trial 1 has; NaN where it is no number."""
        if name in TUNABLE:
            return default_of(self._settings(arm), name)
        component, _, rest = name.rpartition(".")
        parameter, _, occurrence = rest.partition("#")
        parts = [
            part
            for stage in self._arms[arm]["pipeline"][self._stages_below(arm) :]
            for part in stage
            if part["name"] == component
        ]
        found = parts[int(occurrence or 1) - 1 :][:1]
        value = found[0]["parameters"].get(parameter) if found else None
        return float(value) if isinstance(value, (int, float)) else math.nan

    def _settings(self, arm: str) -> Settings:
        """The settings that an arm has at the defaults."""
        told = {**self.result.stored.description["settings"], **self._arms[arm].get("settings", {})}
        return Settings(**{name: one for name, one in told.items() if name in options_of(Settings)})

    def _stages_below(self, arm: str) -> int:
        """The number of an arm's stages that are its base's, which is not tuned."""
        return int(self._told.get("stages_below", {}).get(self._arms[arm]["label"], 0))

    def validation_images(self, pair: Pair) -> int:
        """The fewest validation images of each class of a pair; 0 where folds validate."""
        hashes = [self.result.stored.description["datasets"][name]["content_hash"] for name in pair]
        wanted = [*hashes, self.finetuning_images]
        counts = [count for *key, count in self._told["validation"] if key == wanted]
        return 0 if self.by_folds else min(counts, default=0)

    @property
    def asked(self) -> int:
        """The validation images of each class that were asked for; 0 where that is not known."""
        return int(self._told.get("asked", 0))

    @property
    def by_folds(self) -> bool:
        """True where folds of the pretraining images validate, for the pretraining head."""
        return has_folds(self.result.view.readout)

    @property
    def finetuning_images(self) -> int:
        """The finetuning images of each class; 0 for the pretraining head."""
        settings = self.result.stored.description["settings"]
        own = int(settings["finetune_samples_per_class"])
        return 0 if self.by_folds else self.result.view.finetune_samples or own

    @cached_property
    def _by_place(self) -> dict[tuple[Pair, str, int | None], list[PlannedCell]]:
        found: dict[tuple[Pair, str, int | None], list[PlannedCell]] = {}
        result, view = self.result, self.result.view
        for cell in result.trials:
            reading = (cell.readout, cell.finetune_samples, cell.budget)
            if reading == (view.readout, view.finetune_samples, result.budget):
                pair = (cell.pretrain_dataset, cell.finetune_dataset)
                place = (pair, cell.augmentation, cell.samples_per_class)
                found.setdefault(place, []).append(cell)
        return found

    def cells(self, pair: Pair, arm: str, size: int | None) -> list[PlannedCell]:
        """The trials of a place, with all their seeds and folds."""
        return self._by_place.get((pair, arm, size), [])

    def scores(self, pair: Pair, arm: str, size: int) -> NDArray[np.float64]:
        """Validation accuracies [seeds, trials], of folds their mean; NaN where one is missing.

        No seeds where a place has no trials of its own.
        """
        return score_table(
            (cell.seed, cell.trial or 0, self.result.metric_of(cell, PRIMARY.name))
            for cell in self.cells(pair, arm, size)
        )

    def chosen(self, pair: Pair, arm: str, size: int) -> list[int]:
        """The trial that was chosen for each seed; empty before there is a choice."""
        tuned = self.result.at(view=replace(self.result.view, tuned=True))
        cells = [tuned.cell(pair, arm, size, seed) for seed in range(self.result.seeds)]
        return [cell.trial for cell in cells if cell is not None and cell.trial is not None]

    def best_of(self, pair: Pair, arm: str, size: int) -> NDArray[np.float64]:
        """The expected best validation accuracy of k = 1 … n trials [n]; within seeds, its mean.

        Empty where no trial is complete. See `augbench.statistics.best_of`.
        """
        scores = self.scores(pair, arm, size)
        tables = [scores[[k]] for k in range(len(scores))] if self.within else [scores]
        known = [best_of(one) for one in tables if one.size and _complete(one).any()]
        if not known:
            return np.empty(0)
        n = min(map(len, known))
        mean: NDArray[np.float64] = np.stack([one[:n] for one in known]).mean(axis=0)
        return mean

    def sensitivity(self, pair: Pair, arm: str, size: int, name: str) -> Sensitivity | None:
        """Validation accuracies against a parameter; None where a place has no trials."""
        scores = self.scores(pair, arm, size)
        if not scores.size:
            return None
        values = [one.get(name, self.default(arm, name)) for one in self.values(arm)]
        return sensitivity(values[: scores.shape[1]], scores)

    def places(self) -> Iterator[tuple[str, int]]:
        """Every arm and size that is tuned, the ruler's sizes last."""
        result = self.result
        for arm in result.augmentations:
            more = result.ruler_sizes if arm == result.baseline else ()
            for size in (*result.sizes, *more):
                yield arm, size


def _complete(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    complete: NDArray[np.bool_] = np.isfinite(scores.sum(axis=0))
    return complete
