"""A study under shift: accuracies by corruption and strength, and what training has met of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from augbench.operations import overlap
from augbench.protocol.metrics import PRIMARY
from augbench.statistics import ShiftEffect, shift_effects
from augbench.text import shown

if TYPE_CHECKING:
    from augbench.results._study import Pair, StudyResult

__all__ = ["UnderShift", "under_shift"]


@dataclass(frozen=True)
class UnderShift:
    """The accuracies of one pair at the largest size, on clean and on corrupted test images.

    `clean[arm]` are [seeds], `accuracies[arm]` [seeds, kinds, strengths], NaN where a cell lacks
    them. `met[arm]` holds for each kind the operations that it shares with the arm's training.
    """

    kinds: tuple[str, ...]
    strengths: tuple[int, ...]
    clean: Mapping[str, NDArray[np.float64]]
    accuracies: Mapping[str, NDArray[np.float64]]
    met: Mapping[str, Mapping[str, frozenset[str]]]
    effects: tuple[ShiftEffect, ...]

    def __repr__(self) -> str:
        strengths = ", ".join(map(str, self.strengths))
        return (
            f"<UnderShift: {len(self.clean)} arms under {shown(', '.join(self.kinds))} at "
            f"strengths {strengths}>"
        )


def under_shift(result: StudyResult, pair: Pair, *, confidence: float) -> UnderShift | None:
    """Return what was measured under shift; None for a study without it, or without results."""
    tests = {(one.kind, one.strength): one for one in result.shift_tests}
    kinds = tuple(dict.fromkeys(kind for kind, _ in tests))
    strengths = tuple(sorted({strength for _, strength in tests}))
    size, arms = (result.sizes[-1],), result.augmentations
    accuracies = {
        label: np.stack(
            [
                np.stack(
                    [
                        result.values(pair, label, size, tests[kind, strength].metric)[:, 0]
                        for strength in strengths
                    ],
                    axis=1,
                )
                for kind in kinds
            ],
            axis=1,
        )
        for label in (arms if tests else ())
    }
    if all(np.isnan(values).all() for values in accuracies.values()):
        return None
    of_arm = {
        one["shown"]: frozenset(one.get("operations", ()))
        for one in result.stored.description["arms"]
    }
    of_kind = {one.kind: one.operations for one in result.shift_tests}
    failed = result.failures(pair)
    return UnderShift(
        kinds,
        strengths,
        {label: result.values(pair, label, size, PRIMARY.name)[:, 0] for label in arms},
        accuracies,
        {label: {kind: overlap(of_arm[label], of_kind[kind]) for kind in kinds} for label in arms},
        ()
        if result.baseline is None
        else shift_effects(
            {label: values.mean(axis=2) for label, values in accuracies.items()},
            kinds,
            baseline=result.baseline,
            failed={label: one[:, -1] for label, one in failed.items()},
            chance=result.chance(pair),
            confidence=confidence,
        ),
    )
