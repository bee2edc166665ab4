"""The choice among an arm's trials."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augbench.errors import UsageError

__all__ = ["choose", "score_table"]

_TIE = 1e-12
"""Means of shares of images that are closer are equal: far below 1 / images, above round-off."""


def score_table(entries: Iterable[tuple[int, int, float]]) -> NDArray[np.float64]:
    """Scores [seeds, trials] of (seed, trial, accuracy), seeds in rising order; of folds, the mean.

    NaN where a trial, or one of its folds, is missing. No entries have no seeds.
    """
    found: dict[tuple[int, int], list[float]] = {}
    for seed, trial, accuracy in entries:
        found.setdefault((seed, trial), []).append(accuracy)
    seeds = sorted({seed for seed, _ in found})
    table = np.full((len(seeds), 1 + max((trial for _, trial in found), default=-1)), np.nan)
    for (seed, trial), folds in found.items():
        table[seeds.index(seed), trial] = np.mean(folds)
    return table


def choose(scores: ArrayLike) -> int:
    """The best trial, from 0, by the mean over seeds of validation `scores` [seeds, trials].

    A tie goes to the smaller number, so that the defaults, trial 0, win it. NaN is a missing cell:
    a trial that misses one is passed over, since a mean over fewer seeds is not comparable. It has
    spent its share of the budget all the same, so that every arm keeps the same number of trials.
    A training that diverged is not missing: its score is that of guessing.

    Raises `UsageError` for other shapes, infinities, or where no trial is complete.
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or not table.size or np.isinf(table).any():
        raise UsageError(
            f"scores: expected finite numbers [seeds, trials], NaN for a missing one, got shape "
            f"{table.shape}"
        )
    means = table.mean(axis=0)  # [trials], NaN where a seed is missing
    complete = ~np.isnan(means)
    if not complete.any():
        raise UsageError("no trial has a score for every seed: run the study again")
    best = means[complete].max()
    return int(np.flatnonzero(complete & (means >= best - _TIE))[0])
