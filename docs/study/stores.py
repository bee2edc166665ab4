"""The committed stores of the study, and what of them the pages are about."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from claims import Scores

from augbench.reports.answer import Answer, answer_of
from augbench.results import StudyResult
from augbench.store import FILE_NAME, REGISTRATIONS, Store

HERE = Path(__file__).parent
STORES, STUDIES = HERE / "stores", HERE / "studies"

PAIRS = ("mnist-mnist", "letters-letters", "mnist-letters", "letters-mnist")
"""What is pretrained on, and what is finetuned on and measured."""

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
    values = {arm: result.values(pair, arm) for arm in result.augmentations}
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
    """What `augbench report` says of a store at a budget."""
    result = study(name, budget, tuned)
    return None if result is None else answer_of(result)


@dataclass(frozen=True)
class Registration:
    """A registered study file: the day, the cells that it planned, and those that have a result."""

    file: str
    day: str
    cells: int
    computed: int
    devices: tuple[str, ...]


def registrations() -> list[Registration]:
    """Every registered study, by the name of its file."""
    found = []
    for path in STORES.glob(f"*/{REGISTRATIONS}"):
        told = json.loads(path.read_text(encoding="utf-8"))
        length = len(told["cells"][0])
        planned = set(told["cells"])
        done = {
            cell.key[:length]: cell
            for each in studies(path.parent.name)
            for cell in each.all_cells
            if cell.status == "ok" and cell.key[:length] in planned
        }
        devices = {cell.device.split(":")[0] for cell in done.values()}
        found.append(
            Registration(
                told["file"],
                told["registered_at"][:10],
                len(planned),
                len(done),
                tuple(sorted(devices)),
            )
        )
    return sorted(found, key=lambda one: one.file)
