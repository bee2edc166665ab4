"""The cells of a stored study: which there are, and what each is of."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self, TypeVar

from augbench.errors import UsageError
from augbench.options import named
from augbench.protocol.metrics import COMPARABLE, PRIMARY, Metric
from augbench.protocol.metrics import metric as metric_named
from augbench.protocol.readouts import check_metric
from augbench.protocol.references import FLOOR
from augbench.protocol.shift import SHIFT_ACCURACY, ShiftTest
from augbench.results._scale import scale_of
from augbench.results._views import View, views_of
from augbench.statistics import Scale
from augbench.store import PlannedCell, StoredStudy

__all__ = ["Pair", "StudyCells"]

_T = TypeVar("_T")

Pair = tuple[str, str]
"""(D_P, D_F): the names of the data sets of pretraining and finetuning."""


@dataclass(frozen=True, repr=False)
class StudyCells:
    """The cells of one study at one budget, in one view, and what was asked of them.

    See `StudyResult`.
    """

    stored: StoredStudy
    at_budget: str | None = None
    metric: str = PRIMARY.name
    in_view: View | None = None
    against: str | None = None

    def __post_init__(self) -> None:
        if self.metric not in COMPARABLE:
            raise UsageError(f"metric {self.metric!r}: expected one of {', '.join(COMPARABLE)}")
        check_metric(self.metric, self.view.readout)
        if self.against is not None and self.against not in self.augmentations:
            raise UsageError(
                f"no arm {self.against!r}; expected one of {', '.join(self.augmentations)}"
            )
        if self.metric == SHIFT_ACCURACY and not self.shift_tests:
            raise UsageError(
                f"metric {self.metric!r}: study {self.stored.id} was not measured under shift; run "
                f"it again with {named('shift', 'standard')}"
            )

    @property
    def primary(self) -> Metric:
        """The metric that tables, figures and verdicts are about."""
        return metric_named(self.metric)

    @property
    def scale(self) -> Scale:
        """The scale of that metric, for analyses and their words."""
        return scale_of(self.primary)

    @cached_property
    def budgets(self) -> tuple[str, ...]:
        """The lengths of pretraining in words, the shortest first."""
        named = self.stored.description.get("budgets")
        return tuple(named or dict.fromkeys(cell.budget for cell in self.stored.cells))

    @property
    def budget(self) -> str:
        """The length of pretraining that tables and analyses are about."""
        return self.at_budget or self.primary_budget

    @property
    def primary_budget(self) -> str:
        """The budget of the primary condition: the longest, unless the study names another."""
        longest = (self.budgets or ("",))[-1]
        return str(self.stored.description.get("primary_budget", longest))

    @property
    def primary_before(self) -> str:
        """The primary budget of an earlier run of the same study, if that was another; else ""."""
        first = self.stored.first_primary_budget
        return "" if first in (None, self.primary_budget) else str(first)

    @property
    def other_budgets(self) -> tuple[str, ...]:
        """The budgets but the primary one, the shortest first."""
        return tuple(one for one in self.budgets if one != self.primary_budget)

    @cached_property
    def shift_tests(self) -> tuple[ShiftTest, ...]:
        """The corrupted test sets of the study, in its order."""
        return tuple(map(ShiftTest.from_json, self.stored.description.get("shift", ())))

    @cached_property
    def views(self) -> tuple[View, ...]:
        """Every readout on each number of finetuning images, tuned and not; the first one leads."""
        return views_of(self.stored.description, self.stored.cells)

    @property
    def view(self) -> View:
        """The view that tables and analyses are about."""
        return self.in_view or self.views[0]

    def at(self, budget: str | None = None, view: View | None = None) -> Self:
        """The same study at another budget, one of `budgets`, or in another view."""
        wanted = (budget or self.budget, view or self.view)
        if wanted == (self.budget, self.view):
            return self
        return self._once(
            ("at", *wanted), lambda: replace(self, at_budget=wanted[0], in_view=wanted[1])
        )

    def about(self, metric: str) -> Self:
        """The same study, with tables and analyses about another metric."""
        if metric == self.metric:
            return self
        return self._once(("about", metric), lambda: replace(self, metric=metric))

    @cached_property
    def all_cells(self) -> tuple[PlannedCell, ...]:
        """Every planned cell, results and trials, in the order of the plan.

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
    def cells(self) -> tuple[PlannedCell, ...]:
        """Every planned result of any budget and view, in the order of the plan."""
        return tuple(cell for cell in self.all_cells if cell.role != "trial")

    @cached_property
    def shown_cells(self) -> tuple[PlannedCell, ...]:
        """Every planned result of this view, of any budget, in the order of the plan."""
        return tuple(cell for cell in self.cells if self.view.shows(cell))

    @cached_property
    def trials(self) -> tuple[PlannedCell, ...]:
        """Every planned trial, in the order of the plan."""
        return tuple(cell for cell in self.all_cells if cell.role == "trial")

    @cached_property
    def _shown(self) -> dict[str, str]:
        """The label of each arm as reports print it, by the one that is stored."""
        return {arm["label"]: arm["shown"] for arm in self.stored.description["arms"]}

    @property
    def failed(self) -> tuple[PlannedCell, ...]:
        """The results and trials that failed."""
        return tuple(cell for cell in self.all_cells if cell.status == "failed")

    @property
    def missing(self) -> tuple[PlannedCell, ...]:
        """The results and trials that were not computed yet."""
        return tuple(cell for cell in self.all_cells if cell.status == "missing")

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
        """The label of the arm that all others are compared with, if there is one.

        The study's own baseline, unless the result is `against` another arm.
        """
        return self.against or self.own_baseline

    @property
    def own_baseline(self) -> str | None:
        """The label of the baseline that the study was planned with, if it has one."""
        label: str | None = self.stored.description["baseline"]
        return label if label is None else self._shown[label]

    @property
    def has_references(self) -> bool:
        """True where floor and ceiling were planned, and are those of the baseline."""
        own = self.baseline is not None and self.baseline == self.own_baseline
        return own and bool(self.stored.description["references"])

    @property
    def sizes(self) -> tuple[int, ...]:
        """The samples per class of the sweep."""
        return tuple(self.stored.description["samples_per_class"])

    @property
    def ruler_sizes(self) -> tuple[int, ...]:
        """The further sizes at which only the baseline ran; none against another arm."""
        if self.baseline != self.own_baseline:
            return ()
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
            for cell in self.shown_cells
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

    def has_own_budget(self, label: str) -> bool:
        """True for an arm that is pretrained equally long at every budget of the study."""
        cells = [cell for cell in self.shown_cells if cell.augmentation == label]
        keys = {cell.key for cell in cells if cell.samples_per_class != FLOOR.samples_per_class}
        return len(self.budgets) > 1 and len(keys) * len(self.budgets) <= len(cells)
