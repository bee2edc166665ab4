"""The committed stores of the study, and the accuracies that the claims are about."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from claims import Scores

from augbench.registration import registered_line
from augbench.results import StudyResult
from augbench.store import Store

HERE = Path(__file__).parent
STORES, STUDIES = HERE / "stores", HERE / "studies"

PAIRS = ("mnist-mnist", "letters-letters", "mnist-letters", "letters-mnist")
"""What is pretrained on, and what is finetuned on and measured."""

PHOTOGRAPHS = ("sign-digits", "clothing", "cifar10")


@cache
def study(name: str) -> StudyResult:
    """The study of a store: of several, the one with the most cells, which has all budgets."""
    with Store.read(STORES / name) as store:
        every = [StudyResult(store.study(number)) for number, *_ in store.studies()]
    return max(every, key=lambda one: len(one.all_cells))


def has(name: str) -> bool:
    """True if a store was computed."""
    return (STORES / name / "augbench.sqlite").exists()


def registered(name: str) -> str:
    """When the study of a store was registered, and how it departed from that."""
    return registered_line(study(name), STORES / name)


def scores(name: str, budget: str = "", *, tuned: bool = False) -> Scores:
    """The accuracies of a study at a budget, by default the longest; at the defaults or tuned."""
    result = study(name)
    view = next(view for view in result.views if view.tuned == tuned)
    result = result.at(budget or result.budgets[-1], view)
    (pair,) = result.pairs
    return Scores(result.sizes, {arm: result.values(pair, arm) for arm in result.augmentations})
