"""Lines that a reader must know with any verdict: what limits it, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from augbench.protocol.readouts import READOUTS
from augbench.protocol.study import Budget
from augbench.statistics import Analysis, budget_remark, remarks

if TYPE_CHECKING:
    from augbench.results._study import StudyResult

__all__ = ["other_studies_of", "remarks_of"]

_APART = {"batch_size": "batches of {} images", "pretrain_steps": "{:,} steps"}
"""Settings of its own that part an arm's draws from the others', in words."""


_OTHERS = 4
"""Other studies of a store that a line names by their numbers."""


def remarks_of(result: StudyResult, analysis: Analysis) -> tuple[str, ...]:
    """See `StudyResult.remarks`."""
    first, lines = result.stored.first_seeds, remarks(analysis)
    if first is not None and first < result.seeds:
        lines += (
            f"Seeds {first} to {result.seeds - 1} were added after the study had been run with "
            f"{first}: p-values hold for a number of seeds that is fixed beforehand.",
        )
    if result.primary_before:
        lines += (
            f"The study was run before with {result.primary_before} as its primary budget: "
            "p-values hold for one that is named beforehand.",
        )
    if analysis.comparisons:
        lines += (budget_remark(result.budgets, result.budget, result.primary_budget),)
    return (
        *lines,
        *_unbalanced(result),
        *_draws_apart(result),
        *_finetuned_apart(result),
        *_bills(result),
    )


def other_studies_of(result: StudyResult) -> str:
    """See `StudyResult.other_studies`."""
    shown, stored = result.stored.id, result.stored.in_store
    others = [str(number) for number in sorted(stored) if number != shown]
    if not others:
        return ""
    latest = ", the latest of" if stored[-1] == shown else ", of"
    named = " or ".join(others) if len(others) <= _OTHERS else "N"
    return (
        f"this is study {shown}{latest} {len(stored)} in the store; others: augbench report with "
        f"--study {named}, and with --list to see what they are"
    )


def _unbalanced(result: StudyResult) -> Iterator[str]:
    """A line for each data set whose test classes are unequal, for whoever reads accuracies."""
    if result.primary.from_predictions:
        return
    for pair in {pair[1]: pair for pair in result.pairs}.values():
        balance = result.balance(pair)
        if balance is not None and (line := balance.warning(pair[1])):
            yield f"{line[0].upper()}{line[1:]}."


def _draws_apart(result: StudyResult) -> Iterator[str]:
    """A line on the arms whose draws are not common with the others'."""
    apart, usual = [], result.stored.description["settings"]
    for arm in result.stored.description["arms"]:
        own = dict(arm.get("settings", {}))
        if arm.get("own_budget"):  # which the longest budget may be as well
            own.setdefault("pretrain_steps", usual["pretrain_steps"])
        if "pretrain_steps" in own and Budget(own["pretrain_steps"]).label == result.budget:
            del own["pretrain_steps"]
        told = [words.format(own[name]) for name, words in _APART.items() if name in own]
        if told:
            apart.append(f"{arm['shown']} ({', '.join(told)})")
    if apart:
        yield (
            "Common random draws of batches and augmentations hold for arms of one batch size and "
            f"budget, so not for {', '.join(apart)}: with the others, a seed shares only the "
            f"training images{_and_finetuning(result)}."
        )


def _finetuned_apart(result: StudyResult) -> Iterator[str]:
    """A line on the arms that are finetuned on a number of images of their own."""
    if not READOUTS[result.view.readout].on_finetuning_data:
        return
    name, description = "finetune_samples_per_class", result.stored.description
    usual, apart = description["settings"][name], []
    number = result.view.finetune_samples or usual
    for arm in description["arms"]:
        own = arm.get("settings", {}).get(name, usual)
        if own != number and (arm.get("own_finetune_size") or number == usual):
            apart.append(f"{arm['shown']} ({own:,})")
    if apart:
        yield (
            f"All arms are judged on {number:,} finetuning images of each class, but for "
            f"{', '.join(apart)}: differences from the others are of that number too."
        )


def _and_finetuning(result: StudyResult) -> str:
    if READOUTS[result.view.readout].on_finetuning_data:
        return ", the initial weights and the finetuning"
    return " and the initial weights"


def _bills(result: StudyResult) -> Iterator[str]:
    """A line for each augmentation that takes passes beyond one a step."""
    for label in result.augmentations:
        passes = result.values(result.pairs[0], label, metric="extra_passes")
        most = 0 if np.isnan(passes).all() else int(np.nanmax(passes))
        if most:
            yield (
                f"{label} takes {most} forward and backward passes beyond the {result.budget} of "
                "a pretraining: the comparison is at equal steps, not at equal time."
            )
