"""The other conditions of a study beside the one in full: a line for each that disagrees."""

from __future__ import annotations

from collections.abc import Iterator

from augbench.protocol.readouts import READOUTS
from augbench.results import Pair, StudyResult, View
from augbench.statistics import Analysis, direction, disagreement_line

__all__ = ["disagreements_of"]


def disagreements_of(
    result: StudyResult, pair: Pair, *, confidence: float = 0.95
) -> tuple[str, ...]:
    """Compare the established direction of every average with those of the other conditions.

    A line for each condition in which another is established, or the same one is not; one more
    says how many agree. Nothing for a study of one condition.
    """
    first = result.analysis(pair, confidence=confidence)
    if first is None or not first.comparisons or first.unlearnt is not None:
        return ()
    if not any(c.reachable for c in first.comparisons):  # nothing can be established anywhere
        return ()
    here = {c.augmentation: direction(first, c.augmentation) for c in first.comparisons}
    lines, agree = [], 0
    for label, analysis in _others(result, pair, confidence):
        other = [
            (c, direction(analysis, c.augmentation))
            for c in analysis.comparisons
            if direction(analysis, c.augmentation) != here.get(c.augmentation)
        ]
        if analysis.unlearnt is not None:
            lines.append(f"{label}: nothing is shown to be learnt")
        elif other:
            lines.append(f"{label}: {disagreement_line(other, here, analysis.scale)}")
        else:
            agree += 1
    if not lines and not agree:
        return ()
    if agree:
        word = "condition agrees" if agree == 1 else "conditions agree"
        lines.append(f"{agree} {'other ' if len(lines) else 'further '}{word} on every average")
    return tuple(lines)


def _others(result: StudyResult, first: Pair, confidence: float) -> Iterator[tuple[str, Analysis]]:
    """Every condition but that of the answer, with what sets it apart from it, and its analysis."""
    mine = (first, result.budget, result.view)
    for pair in result.pairs:
        for budget in (result.primary_budget, *result.other_budgets[::-1]):
            for view in result.views:
                if (pair, budget, view) == mine or not READOUTS[view.readout].has(result.metric):
                    continue
                analysis = result.at(budget, view).analysis(pair, confidence=confidence)
                if analysis is not None and analysis.comparisons:
                    yield _apart(pair, first, budget, view, result), analysis


def _apart(pair: Pair, first: Pair, budget: str, view: View, result: StudyResult) -> str:
    mine = result.view
    told = [
        *([] if view.reading == mine.reading else [view.reading]),
        *([] if view.tuned == mine.tuned else ["tuned" if view.tuned else "at the defaults"]),
    ]
    parts = [
        *([] if pair == first else [f"{pair[0]} → {pair[1]}"]),
        *([] if budget == result.budget else [budget]),
        *told,
    ]
    return ", ".join(parts)
