"""The cells of a study as tables and arrays, each computed once and kept; no torch."""

from __future__ import annotations

from augbench.results._classwise import metric_of_result
from augbench.results._cost import Cost
from augbench.results._shift import UnderShift
from augbench.results._study import Pair, StudyResult
from augbench.results._tuning import Tuning
from augbench.results._views import View, find_view

__all__ = [
    "Cost",
    "Pair",
    "StudyResult",
    "Tuning",
    "UnderShift",
    "View",
    "find_view",
    "metric_of_result",
]
