"""What the cells of a stored study have learnt at all, beside guessing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from augbench.protocol.metrics import PRIMARY
from augbench.protocol.metrics import metric as metric_named
from augbench.protocol.references import FLOOR
from augbench.results._cells import Pair
from augbench.results._metrics import StudyMetrics
from augbench.results._scale import guessing
from augbench.statistics import Unlearnt, collapsed, nothing_learnt
from augbench.store import PlannedCell

__all__ = ["StudyLearning"]


class StudyLearning(StudyMetrics):
    """The metrics of one study, and which cells have learnt nothing. See `StudyResult`."""

    def collapsed(
        self, pair: Pair, sizes: tuple[int | None, ...] | None = None
    ) -> dict[str, NDArray[np.bool_]]:
        """The cells of every arm near chance where others learn, as [seeds, sizes].

        The floor, which is not trained, never collapses. Whatever the study's metric is, accuracy
        tells: balanced accuracy where test classes are unequal, since a network that always answers
        the largest class is right for more than chance.
        """
        wanted, judge = self.sizes if sizes is None else sizes, self._judge(pair)

        def find() -> dict[str, NDArray[np.bool_]]:
            arms = {label: self.values(pair, label, wanted, judge) for label in self.augmentations}
            trained = np.array([size != FLOOR.samples_per_class for size in wanted])
            found = collapsed(arms, self.chance(pair))
            return {label: low & trained for label, low in found.items()}

        return dict(self._once(("collapsed", pair, wanted), find))

    @property
    def collapsed_cells(self) -> tuple[PlannedCell, ...]:
        """The collapsed cells of the sweep at this budget, in the order of the plan."""
        return tuple(
            cell
            for cell in self.shown_cells
            if cell.budget == self.budget
            and cell.samples_per_class in self.sizes
            and self.collapsed((cell.pretrain_dataset, cell.finetune_dataset))[cell.augmentation][
                cell.seed, self.sizes.index(cell.samples_per_class)
            ]
        )

    def _judge(self, pair: Pair) -> str:
        """The metric that tells whether cells of a pair have learnt anything."""
        balance = self.balance(pair)
        cells = [cell for cell in self.shown_cells if cell.finetune_dataset == pair[1]]
        if balance is None or not balance.unequal:
            return PRIMARY.name
        known = all(self.has_predictions(cell) for cell in cells if cell.status == "ok")
        return "balanced_accuracy" if known else PRIMARY.name

    def chance(self, pair: Pair) -> float:
        """The accuracy of guessing on D_F, and the balanced accuracy of any constant answer.

        `balance` tells the accuracy of answering the largest class always, which may be higher.
        """
        return 1 / len(self.stored.description["datasets"][pair[1]]["classes"])

    def guessing(self, pair: Pair) -> float:
        """The score of guessing on D_F by the study's metric; NaN where it has none."""
        balance = self.balance(pair)
        images = None if balance is None else np.array(balance.images)
        return guessing(self.primary, round(1 / self.chance(pair)), images)

    def unlearnt(self, pair: Pair, *, confidence: float = 0.95) -> Unlearnt | None:
        """The finding that no arm is shown to have learnt anything; None where one is."""
        name, balance, blind = self._judge(pair), self.balance(pair), self.chance(pair)
        if name == PRIMARY.name and balance is not None:
            blind = max(blind, balance.majority)
        return self._once(
            ("unlearnt", pair, confidence),
            lambda: nothing_learnt(
                self.scores(pair, name),
                blind,
                noun=metric_named(name).short,
                confidence=confidence,
            ),
        )
