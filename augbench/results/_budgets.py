"""Comparisons between the budgets of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from augbench.statistics import Interaction, interactions

if TYPE_CHECKING:
    from augbench.results._study import Pair, StudyResult

__all__ = ["interactions_of"]


def interactions_of(
    result: StudyResult, pair: Pair, *, confidence: float
) -> tuple[Interaction, ...]:
    """See `StudyResult.interactions`."""
    if result.baseline is None or len(result.budgets) < 2 or result.has_own_budget(result.baseline):
        return ()
    at = {budget: result.at(budget) for budget in result.budgets}
    own = {label for label in result.augmentations if result.has_own_budget(label)}
    return interactions(
        {
            budget: {name: arm for name, arm in one.scores(pair).items() if name not in own}
            for budget, one in at.items()
        },
        result.sizes,
        baseline=result.baseline,
        failed={budget: one.failures(pair) for budget, one in at.items()},
        chance=result.chance(pair),
        confidence=confidence,
    )
