"""The labels of axes that show the study's metric, or differences in it."""

from __future__ import annotations

from augbench.protocol.metrics import PRIMARY
from augbench.results import Pair, StudyResult

__all__ = ["axis_of", "measured_on", "unit_above"]


def axis_of(result: StudyResult, pair: Pair) -> str:
    """The label of an axis of the study's metric."""
    one = result.primary
    lower = ", lower is better" if one.better == "lower" else ""
    return f"{one.title} on {measured_on(result, pair)} ({one.unit}{lower})"


def measured_on(result: StudyResult, pair: Pair) -> str:
    """The data set that a figure is about, with the view unless it is the usual one."""
    return ", ".join(filter(None, (pair[1], result.view.words)))


def unit_above(result: StudyResult) -> str:
    """The unit in which a figure tells differences, with the metric unless it is accuracy."""
    if result.primary is PRIMARY:
        return result.scale.unit
    lower = " (lower is better)" if result.scale.lower_is_better else ""
    return f"{result.scale.long_unit}{lower}"
