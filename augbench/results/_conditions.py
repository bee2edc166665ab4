"""Comparisons between conditions of one study: its budgets, its readouts, default and tuned."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from augbench.protocol.readouts import READOUTS
from augbench.statistics import Interaction, interactions

if TYPE_CHECKING:
    from augbench.results._study import Pair, StudyResult
    from augbench.results._views import View

__all__ = ["changes_between", "readings_of", "tuning_changes_of"]


def changes_between(
    conditions: Mapping[str, StudyResult],
    pair: Pair,
    *,
    confidence: float,
    without: Collection[str] = (),
) -> tuple[Interaction, ...]:
    """The change of every difference from each condition to the last one.

    Arms that are `without` one are left out. None without a baseline or a second condition.
    """
    *_, last = conditions.values()
    if last.baseline is None or len(conditions) < 2:
        return ()
    return interactions(
        {
            name: {label: arm for label, arm in one.scores(pair).items() if label not in without}
            for name, one in conditions.items()
        },
        last.sizes,
        baseline=last.baseline,
        failed={name: one.failures(pair) for name, one in conditions.items()},
        chance=last.guessing(pair),
        collapses={name: one.collapsed(pair) for name, one in conditions.items()},
        confidence=confidence,
    )


def readings_of(result: StudyResult) -> tuple[View, ...]:
    """The views that are tuned as this one is, or not, and have its metric; this one leads."""
    return (
        result.view,
        *(
            view
            for view in result.views
            if view.tuned == result.view.tuned
            and view != result.view
            and READOUTS[view.readout].has(result.metric)
        ),
    )


def tuning_changes_of(
    result: StudyResult, pair: Pair, *, confidence: float
) -> tuple[Interaction, ...]:
    """The change of every difference from the defaults to the tuned settings, in this reading."""
    plain, tuned = (replace(result.view, tuned=one) for one in (False, True))
    if tuned not in result.views:
        return ()
    return changes_between(
        {"the defaults": result.at(view=plain), "tuned settings": result.at(view=tuned)},
        pair,
        confidence=confidence,
    )
