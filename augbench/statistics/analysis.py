"""Everything that a report prints about one condition, computed once.

`analyse` turns accuracies into frozen dataclasses; tables, figures and the verdict only read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augbench.errors import UsageError
from augbench.statistics._arrays import Floats, as_array, as_confidence, as_sizes
from augbench.statistics.comparisons import Options, compare_arms
from augbench.statistics.curves import aulc
from augbench.statistics.intervals import MeanInterval, mean_interval
from augbench.statistics.records import Analysis, Condition, Curve, References
from augbench.statistics.signflip import DRAWS

__all__ = ["analyse"]


def analyse(
    scores: Mapping[str, ArrayLike],
    sizes: Sequence[int],
    *,
    baseline: str = "none",
    failed: Mapping[str, ArrayLike] | None = None,
    chance: float = 0.0,
    condition: Condition | None = None,
    ruler: ArrayLike | None = None,
    ruler_sizes: Sequence[int] = (),
    floor: ArrayLike | None = None,
    ceiling: ArrayLike | None = None,
    confidence: float = 0.95,
    alpha: float = 0.05,
    seed: int = 0,
    draws: int = DRAWS,
) -> Analysis:
    """Compare every augmentation in `scores` with `baseline`.

    `scores[a]` is [n, K], the accuracy in [0, 1] of n seeds (the same seeds, in the same order, for
    every augmentation) at K `sizes`; NaN is a missing cell. `failed[a]` [n, K] is true where a cell
    is missing because it failed; `chance` is the accuracy of guessing, at which failures are
    counted to bound what dropping them hides. `ruler` [n, R] is the baseline at further
    `ruler_sizes`; `floor` and `ceiling` are [n]. `alpha` is the chance of any false claim within
    this `condition`; `seed` and `draws` are of the sampled sign vectors above 16 seeds.

    Without the baseline among `scores` only the curves are there. Raises `UsageError` for shapes
    that do not fit and accuracies outside [0, 1].
    """
    confidence = as_confidence(confidence)
    for name, share in (("alpha", alpha), ("chance", chance)):
        if not 0 <= share < 1 or (name == "alpha" and not share):
            raise UsageError(f"{name}: expected a share between 0 and 1, got {share}")
    whole = tuple(int(s) for s in as_sizes(sizes))
    options = Options(whole, baseline, chance, confidence, alpha, seed, draws)
    arms = _checked(scores, len(whole))
    n = len(next(iter(arms.values())))
    references = {
        name: _accuracies(values, name, (n,))
        for name, values in (("floor", floor), ("ceiling", ceiling))
        if values is not None
    }
    lengthened = None if ruler is None else _accuracies(ruler, "ruler", (n, len(ruler_sizes)))
    order = np.argsort(ruler_sizes)
    return Analysis(
        condition=condition or Condition(),
        n=n,
        sizes=whole,
        baseline=baseline,
        ruler_sizes=tuple(int(ruler_sizes[i]) for i in order),
        confidence=confidence,
        alpha=alpha,
        curves=tuple(
            Curve(name, _columns(arm, confidence), _mean(aulc(arm, whole), confidence))
            for name, arm in arms.items()
        ),
        ruler=() if lengthened is None else _columns(lengthened[:, order], confidence),
        references=_references(arms.get(baseline), references, confidence),
        comparisons=compare_arms(
            arms,
            _failures(failed or {}, arms),
            options,
            ruler=lengthened,
            ruler_sizes=ruler_sizes,
            ceiling=references.get("ceiling"),
        ),
    )


def _references(plain: Floats | None, given: dict[str, Floats], confidence: float) -> References:
    def against(name: str, sign: int) -> tuple[MeanInterval, ...] | None:
        if plain is None or name not in given:
            return None
        return _columns(sign * (plain - given[name][:, None]), confidence)

    means = {name: _mean(values, confidence) for name, values in given.items()}
    return References(
        floor=means.get("floor"),
        ceiling=means.get("ceiling"),
        above_floor=against("floor", 1),
        below_ceiling=against("ceiling", -1),
    )


def _columns(table: Floats, confidence: float) -> tuple[MeanInterval, ...]:
    return tuple(_mean(column, confidence) for column in table.T)


def _mean(values: Floats, confidence: float) -> MeanInterval:
    return mean_interval(values, confidence=confidence)


def _failures(
    failed: Mapping[str, ArrayLike], arms: dict[str, Floats]
) -> dict[str, NDArray[np.bool_]]:
    """Failed cells [n, K] of the arms that have any, none of them with an accuracy."""
    found = {}
    for name, given in failed.items():
        mask = np.asarray(given, dtype=np.bool_)
        if name not in arms or mask.shape != arms[name].shape:
            raise UsageError(
                f"failed[{name!r}]: expected one of scores and its shape, got shape {mask.shape}"
            )
        if (mask & ~np.isnan(arms[name])).any():
            raise UsageError(f"failed[{name!r}]: a failed cell has an accuracy; expected NaN there")
        if mask.any():
            found[name] = mask
    return found


def _checked(scores: Mapping[str, ArrayLike], count: int) -> dict[str, Floats]:
    if not scores:
        raise UsageError("scores: expected at least one augmentation, got none")
    first = as_array(next(iter(scores.values())), "scores", ndim=2)
    shape = (len(first), count)
    return {
        name: _accuracies(values, f"scores[{name!r}]", shape) for name, values in scores.items()
    }


def _accuracies(values: ArrayLike, name: str, shape: tuple[int, ...]) -> Floats:
    array = as_array(values, name, ndim=len(shape))
    if array.shape != shape:
        raise UsageError(
            f"{name}: expected shape {shape} (seeds first, the same for all), got {array.shape}"
        )
    if ((array < 0) | (array > 1)).any():
        raise UsageError(
            f"{name}: expected accuracies as shares in [0, 1], got {np.nanmin(array):g} to "
            f"{np.nanmax(array):g}; divide per cent by 100"
        )
    return array
