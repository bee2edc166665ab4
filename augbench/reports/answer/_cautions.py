"""What limits an answer, each in a line: the report in full has the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from augbench.protocol.metrics import PRIMARY
from augbench.results import Pair, StudyResult
from augbench.statistics import Analysis, CutShort, least_difference, size_runs
from augbench.statistics.claims import claims_of, holds_zero

__all__ = ["cautions_of"]

_MUCH = 0.02
"""Differences that test images leave to luck, as shares of accuracy, are told above this."""
_NAMED = 3
"""Arms that a line names with their sizes; of more, it gives the number."""


def cautions_of(
    result: StudyResult, pair: Pair, analysis: Analysis | None, *, confidence: float = 0.95
) -> tuple[str, ...]:
    """Lines on failed and missing cells, seeds, classes, convergence and collapses."""
    return tuple(_cautions(result, pair, analysis, confidence))


def _cautions(
    result: StudyResult, pair: Pair, analysis: Analysis | None, confidence: float
) -> Iterator[str]:
    total = len({cell.key for cell in result.all_cells})
    failed = len({cell.key for cell in result.failed})
    missing = len({cell.key for cell in result.missing})
    if failed or missing:
        parts = [f"{failed} failed"] * bool(failed) + [f"{missing} have no result"] * bool(missing)
        yield f"of {total} cells {' and '.join(parts)}, and are left out"
    if analysis is None or not analysis.comparisons:
        return
    tuning = result.tuning
    if tuning is not None and not tuning.complete:
        yield "not tuned yet: trials have no result, and this is at the defaults; run it again"
    first = result.stored.first_seeds
    if first is not None and first < result.seeds:
        added = (
            f"seeds {first} to {result.seeds - 1} were"
            if first < result.seeds - 1
            else f"seed {first} was"
        )
        yield f"{added} added after a look at the first {first}: p is then too small"
    if result.primary_before:
        yield (
            f"{result.primary_budget} became primary after a run with {result.primary_before} as "
            "primary budget: of a choice after a look, p is too small"
        )
    balance = result.balance(pair)
    if balance is not None and balance.unequal and result.primary is PRIMARY:
        yield (
            f"test classes are unequal: answering the largest always is right for "
            f"{100 * balance.majority:.1f} %; --metric balanced_accuracy weighs all alike"
        )
    images = result.stored.description["datasets"][pair[1]]["test_size"]
    least = least_difference(images, result.seeds)
    if result.primary is PRIMARY and least > _MUCH:
        yield (
            f"{images:,} test images: differences under about {100 * least:.0f} points may be the "
            "luck of which images they are"
        )
    if analysis.unlearnt is not None:
        return
    yield from _not_corrected(analysis)
    found = result.cut_short(pair, confidence=confidence)
    late = _cut_short(result, found)
    if late:
        yield (
            f"not converged after {result.budget}: {late}; longer pretraining "
            "(--n-batches-pre-train) may change this"
        )
    elif all(one.rise is None and not (one.gain and one.gain.n) for one in found):
        yield (
            f"whether {result.budget} are enough cannot be told here: training curves are too "
            "short or were not kept, or the learning rate falls; try a longer budget beside it"
        )
    if spoilt := _spoilt(result, pair, confidence, analysis.alpha):
        yield spoilt


def _not_corrected(analysis: Analysis) -> Iterator[str]:
    """A line on intervals that leave out 0 where nothing is established."""
    arms = [
        c.augmentation
        for c in analysis.comparisons
        if c.difference.n > 1
        and not holds_zero(c.difference)
        and not claims_of(c, analysis.alpha, analysis.scale).area
    ]
    if arms and analysis.comparisons[0].reachable:
        named = ", ".join(arms) if len(arms) <= _NAMED else f"{len(arms)} arms"
        yield (
            f"undecided though the interval leaves out 0 ({named}): an interval is not corrected "
            "for the number of tests, p is"
        )


def _spoilt(result: StudyResult, pair: Pair, confidence: float, alpha: float) -> str:
    """A line on sizes at which a shorter budget serves the baseline better; "" for none."""
    if result.budget != result.budgets[-1]:
        return ""
    for budget in result.budgets[-2::-1]:
        falls = {
            one.size: -result.primary.factor * one.rise.rise.mean
            for one in result.at(budget).cut_short(pair, confidence=confidence)
            if one.augmentation == result.baseline
            and one.rise is not None
            and one.rise.p_adjusted <= alpha
            and one.rise.rise.mean < 0
        }
        if falls:
            at = size_runs(list(falls), result.sizes)
            return (
                f"the baseline {result.baseline} is better after {budget} at {at}, by up to "
                f"{max(falls.values()):.1f} points of accuracy: against that, less helps"
            )
    return ""


def _cut_short(result: StudyResult, found: Sequence[CutShort]) -> str:
    sizes: dict[str, list[int]] = {}
    for one in found:
        if one.plain:
            sizes.setdefault(one.augmentation, []).append(one.size)
    if len(sizes) > _NAMED:
        return f"{len(sizes)} of {len(result.augmentations)} arms"
    return ", ".join(f"{name} at {size_runs(at, result.sizes)}" for name, at in sizes.items())
