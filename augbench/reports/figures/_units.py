"""The labels of axes that show the study's metric, or differences in it."""

from __future__ import annotations

from augbench.protocol.metrics import PRIMARY
from augbench.results import Pair, StudyResult

__all__ = ["axis_of", "measured_on", "unit_above", "unusual_condition"]


def axis_of(result: StudyResult, pair: Pair, *, of_budget: bool = True) -> str:
    """The label of an axis of the study's metric, see `measured_on`."""
    one = result.primary
    lower = ", lower is better" if one.better == "lower" else ""
    return f"{one.title} on {measured_on(result, pair, of_budget=of_budget)} ({one.unit}{lower})"


def measured_on(result: StudyResult, pair: Pair, *, of_budget: bool = True) -> str:
    """The data set that a figure is about, with its budget and view unless they are the usual ones.

    Without the budget, unless the figure is `of_budget`.
    """
    return ", ".join(filter(None, (pair[1], *_unusual(result, of_budget))))


def unusual_condition(result: StudyResult) -> str:
    """The budget and the view that a figure is about, in parentheses; "" for the usual ones."""
    told = ", ".join(_unusual(result))
    return f" ({told})" if told else ""


def _unusual(result: StudyResult, of_budget: bool = True) -> list[str]:
    budget = result.budget if of_budget and result.budget != result.budgets[-1] else ""
    return list(filter(None, (budget, result.view.words)))


def unit_above(result: StudyResult) -> str:
    """The unit in which a figure tells differences, with the metric unless it is accuracy."""
    if result.primary is PRIMARY:
        return result.scale.unit
    lower = " (lower is better)" if result.scale.lower_is_better else ""
    return f"{result.scale.long_unit}{lower}"
