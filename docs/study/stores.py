"""The committed stores of the study, and what of them the pages are about."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from claims import Floats, Scores

from augbench.protocol.references import FLOOR
from augbench.registration import Registration, registrations
from augbench.reports._formatting import signed_text
from augbench.reports._worth import multiplier_entry
from augbench.reports.answer import Answer, Row, answer_of
from augbench.results import StudyResult
from augbench.statistics import MeanInterval, mean_interval
from augbench.store import FILE_NAME, Store

HERE = Path(__file__).parent
STORES, STUDIES = HERE / "stores", HERE / "studies"

NAMES = {
    "mnist-mnist": "MNIST → MNIST",
    "letters-letters": "letters → letters",
    "mnist-letters": "MNIST → letters",
    "letters-mnist": "letters → MNIST",
}
"""The data set of pretraining, and that of finetuning and measurement, as pages name them."""

PAIRS = tuple(NAMES)

PHOTOGRAPHS = ("sign-digits", "clothing", "cifar10")


def settings_of(name: str) -> dict[str, Any]:
    """A study file as it stands."""
    return tomllib.loads((STUDIES / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def studies(name: str) -> tuple[StudyResult, ...]:
    """Every study of a store, in the order of their runs; none where nothing was computed."""
    if not (STORES / name / FILE_NAME).exists():
        return ()
    with Store.read(STORES / name) as store:
        return tuple(StudyResult(store.study(number)) for number, *_ in store.studies())


@cache
def study(name: str, budget: str, tuned: bool = False) -> StudyResult | None:
    """The study of a store that knows most of a budget, and plans least beside it; there.

    A study at fewer seeds, or of fewer budgets, may stand beside the registered one. None where no
    seed of any is whole.
    """
    found: list[tuple[int, int, int, StudyResult]] = []
    for each in studies(name):
        views = [view for view in each.views if view.tuned == tuned]
        if budget in each.budgets and views:
            there = each.at(budget, views[0])
            done = [cell for cell in there.shown_cells if cell.status == "ok"]
            if done:
                found.append((len(done), -len(each.all_cells), len(found), there))
    best = max(found, default=None)
    return best[-1] if best and len(_scores(best[-1]).seeds) > 1 else None


def _known(name: str, budget: str, tuned: bool = False) -> StudyResult:
    """The study of a store that has one."""
    found = study(name, budget, tuned)
    assert found is not None
    return found


def missing(name: str) -> int:
    """The number of planned cells of a store that were not computed."""
    (one,) = studies(name)
    return len(one.missing)


def _scores(result: StudyResult) -> Scores:
    """The accuracies of the seeds of which every cell is there."""
    (pair,) = result.pairs
    values = result.scores(pair)
    whole = ~np.isnan(np.hstack(list(values.values()))).any(axis=1)
    return Scores(
        result.sizes,
        {arm: each[whole] for arm, each in values.items()},
        tuple(np.flatnonzero(whole).tolist()),
    )


def scores(name: str, budget: str, tuned: bool = False) -> Scores | None:
    """The accuracies of a store at a budget, at the defaults or tuned; None if it has none."""
    result = study(name, budget, tuned)
    return None if result is None else _scores(result)


@cache
def answer(name: str, budget: str, tuned: bool = False) -> Answer | None:
    """The answer that `augbench report` gives for a store at a budget."""
    result = study(name, budget, tuned)
    return None if result is None else answer_of(result)


def _told(name: str, budget: str, tuned: bool = False) -> Answer:
    """The answer of a store that has one."""
    found = answer(name, budget, tuned)
    assert found is not None
    return found


def row_of(name: str, budget: str, arm: str, tuned: bool = False) -> Row:
    """An arm's differences from the baseline in the answer of a store."""
    (row,) = (one for one in _told(name, budget, tuned).rows if one.augmentation == arm)
    return row


def level(name: str, budget: str, arm: str, size: int) -> MeanInterval:
    """An arm's accuracy at a size."""
    return mean_interval(_scores(_known(name, budget)).mean(arm, (size,)))


def collapsed(name: str, budget: str, tuned: bool = False) -> tuple[int, int]:
    """The number of the arms' cells that are near chance where others learn, and of all of them."""
    points = [point for row in _told(name, budget, tuned).rows for point in row.points]
    return sum(one.collapsed for one in points), sum(one.difference.n for one in points)


def established(name: str, budget: str, size: int, sign: int, tuned: bool = False) -> list[str]:
    """The arms that a store establishes to help (1) or to hurt (-1) at a size, by their effect."""
    found = _told(name, budget, tuned)
    column = found.sizes.index(size)
    there = [
        (one.points[column].difference.mean, one.augmentation)
        for one in found.rows
        if one.points[column].claim == sign
    ]
    return [f"{arm} {signed_text(100 * mean, 1)}" for mean, arm in sorted(there, reverse=sign > 0)]


def one_device(name: str, budget: str, tuned: bool = False) -> bool:
    """True where the arms of each seed and size were all computed on a GPU, or all on a CPU."""
    found: dict[object, set[bool]] = {}
    for cell in _known(name, budget, tuned).shown_cells:
        if cell.status == "ok" and cell.budget == budget:
            there = found.setdefault((cell.seed, cell.samples_per_class), set())
            there.add(cell.device == "cpu")
    return all(len(kinds) == 1 for kinds in found.values())


@cache
def own_heads(name: str, budget: str) -> dict[str, Floats]:
    """The accuracies [seeds, sizes] of each arm's pretraining head, on the data set it learned."""
    result = _known(name, budget)
    (pair,) = result.pairs
    return {
        arm: result.values(pair, arm, metric="pretrain_accuracy") for arm in result.augmentations
    }


@cache
def untrained(name: str, budget: str) -> Floats:
    """The accuracies [seeds] of a head on a network that was not pretrained."""
    result = _known(name, budget)
    (pair,) = result.pairs
    values: Floats = result.values(pair, "none", (FLOOR.samples_per_class,))[:, 0]
    return values


def worth(name: str, budget: str) -> dict[str, tuple[str, ...]]:
    """The label multipliers of each arm at each size, as reports tell them.

    Empty where no difference is established, and a dash where the baseline's curve cannot be read.
    """
    result = _known(name, budget)
    analysis = result.analysis(result.pairs[0])
    assert analysis is not None
    return {
        one.augmentation: tuple(
            multiplier_entry(row, one, analysis).text.split(" (the ")[0] for row in one.by_size
        )
        for one in analysis.comparisons
    }


@dataclass(frozen=True)
class Progress:
    """A registered study: how many of its cells are computed, how many as registered, and where.

    A cell of another key than the registered one has the augmentation's source or the images in
    another state. `minutes` are those of all of its cells, those that a search has chosen among
    them, of one core or one GPU.
    """

    registered: Registration
    done: int
    as_registered: int
    devices: tuple[str, ...]
    minutes: float

    @property
    def planned(self) -> int:
        """The number of cells that were registered."""
        return len(self.registered.cells)


@cache
def progress() -> dict[str, Progress]:
    """Every registered study, by the name of its file and in the order of names."""
    found = {}
    for folder in sorted(STORES.iterdir()):
        for registered in registrations(folder):
            steps = registered.description["settings"]["pretrain_steps"]
            budgets = registered.description.get("budgets", [f"{steps:,} steps"])
            cells = [
                cell
                for each in studies(folder.name)
                for cell in each.all_cells
                if cell.status == "ok" and cell.budget in budgets
            ]
            done = {(cell.budget, cell.key): cell for cell in cells}
            # Where a search chose an arm's own settings, its cell is the untuned one's too.
            own = {(cell.budget, cell.key) for cell in cells if cell.role != "tuned"}
            keyed: dict[str, Any] = {}
            for each in studies(folder.name):
                keyed |= registered.computed(each)
            devices = {cell.device.split(":")[0] for cell in done.values()}
            found[registered.file] = Progress(
                registered,
                len(own),
                len(keyed),
                tuple(sorted(devices)),
                sum(cell.result.seconds for cell in done.values() if cell.result) / 60,
            )
    return dict(sorted(found.items()))
