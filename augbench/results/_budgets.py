"""Comparisons between the budgets of a study."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from augbench.protocol.metrics import PRIMARY
from augbench.results._conditions import changes_between
from augbench.statistics import (
    CutShort,
    Interaction,
    LateGain,
    LateRise,
    late_gain,
    late_rises,
)

if TYPE_CHECKING:
    from augbench.results._study import Pair, StudyResult

__all__ = ["cut_short_of", "interactions_of"]


def interactions_of(
    result: StudyResult, pair: Pair, *, confidence: float
) -> tuple[Interaction, ...]:
    """See `StudyResult.interactions`."""
    own = {label for label in result.augmentations if result.has_own_budget(label)}
    if result.baseline in own:
        return ()
    order = (*result.other_budgets, result.primary_budget)
    at = {budget: result.at(budget) for budget in order}
    return changes_between(at, pair, confidence=confidence, without=own)


def cut_short_of(result: StudyResult, pair: Pair, *, confidence: float) -> tuple[CutShort, ...]:
    """See `StudyResult.cut_short`."""
    rises = _rises(result, pair, confidence)
    found = []
    for label in result.augmentations:
        constant = _has_constant_rate(result, label)
        for size in result.sizes:
            gain = _gain(result, pair, label, size) if constant else None
            found.append(CutShort(label, size, gain, rises.get((label, size))))
    return tuple(found)


def _gain(result: StudyResult, pair: Pair, label: str, size: int) -> LateGain:
    cells = [result.cell(pair, label, size, seed) for seed in range(result.seeds)]
    losses = [
        cell.result.curves["pretrain"].loss
        for cell in cells
        if cell is not None and cell.result is not None and "pretrain" in cell.result.curves
    ]
    windows = min(map(len, losses), default=0)  # all of one length, or the shortest counts
    classes = len(result.stored.description["datasets"][pair[0]]["classes"])
    table = np.array([one[:windows] for one in losses]).reshape(len(losses), windows)
    return late_gain(table, math.log(classes))


def _rises(result: StudyResult, pair: Pair, confidence: float) -> dict[tuple[str, int], LateRise]:
    """The rise of accuracy to the longest budget of every arm that is trained at both."""
    longest = result.at(result.budgets[-1])
    arms = [label for label in result.augmentations if not result.has_own_budget(label)]
    if longest is result or not arms:
        return {}
    late, early = (
        np.hstack([one.scores(pair, PRIMARY.name)[label] for label in arms])
        for one in (longest, result)
    )
    places = [(label, size) for label in arms for size in result.sizes]
    return dict(zip(places, late_rises(late, early, confidence=confidence), strict=True))


def _has_constant_rate(result: StudyResult, label: str) -> bool:
    """True for an arm whose learning rate is constant, and whose augmentations are as well."""
    study = result.stored.description
    (arm,) = [one for one in study["arms"] if one["shown"] == label]
    settings = {**study["settings"], **arm.get("settings", {})}
    return settings.get("schedule", "constant") == "constant" and not arm.get("follows_progress")
