"""The committed stores of the study, and what of them the pages are about."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from claims import Scores

from augbench.registration import Registration, registrations
from augbench.reports._worth import multiplier_entry
from augbench.reports.answer import Answer, answer_of
from augbench.results import StudyResult
from augbench.store import FILE_NAME, Store

HERE = Path(__file__).parent
STORES, STUDIES = HERE / "stores", HERE / "studies"

PAIRS = ("mnist-mnist", "letters-letters", "mnist-letters", "letters-mnist")
"""The data set of pretraining, and that of finetuning and measurement."""

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
    found = []
    for each in studies(name):
        views = [view for view in each.views if view.tuned == tuned]
        if budget in each.budgets and views:
            there = each.at(budget, views[0])
            done = [cell for cell in there.shown_cells if cell.status == "ok"]
            if done:
                found.append((len(done), -len(each.all_cells), len(found), there))
    best = max(found, default=None)
    return best[-1] if best and len(_scores(best[-1]).seeds) > 1 else None


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


def answer(name: str, budget: str, tuned: bool = False) -> Answer | None:
    """The answer that `augbench report` gives for a store at a budget."""
    result = study(name, budget, tuned)
    return None if result is None else answer_of(result)


def worth(name: str, budget: str) -> dict[str, tuple[str, ...]]:
    """What each arm is worth in labels at each size, as reports tell it.

    Empty where no difference is established, and a dash where the baseline's curve cannot be read.
    """
    result = study(name, budget)
    assert result is not None
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
    """A registered study, the number of its cells that have a result, and what computed them."""

    registered: Registration
    computed: int
    devices: tuple[str, ...]


def progress() -> list[Progress]:
    """Every registered study, by the name of its file."""
    found = []
    for folder in STORES.iterdir():
        for registered in registrations(folder):
            done = {}
            for each in studies(folder.name):
                done |= registered.computed(each)
            devices = {cell.device.split(":")[0] for cell in done.values()}
            found.append(Progress(registered, len(done), tuple(sorted(devices))))
    return sorted(found, key=lambda one: one.registered.file)
