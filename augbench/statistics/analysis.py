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
from augbench.statistics.learning import Unlearnt
from augbench.statistics.level import ALPHA
from augbench.statistics.records import Analysis, Condition, Curve, References
from augbench.statistics.scale import Scale
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
    scale: Scale = Scale(),
    collapses: Mapping[str, ArrayLike] | None = None,
    unlearnt: Unlearnt | None = None,
    confidence: float = 0.95,
    alpha: float = ALPHA,
    seed: int = 0,
    draws: int = DRAWS,
) -> Analysis:
    """Compare every augmentation in `scores` with `baseline`.

    `scores[a]` is [n, K], the accuracy in [0, 1] of n seeds (the same seeds, in the same order, for
    every augmentation) at K `sizes`; NaN is a missing cell. `failed[a]` [n, K] is true where a cell
    is missing because it failed; `chance` is the accuracy of guessing, at which failures are
    counted to bound what dropping them hides. `ruler` [n, R] is the baseline at further
    `ruler_sizes`; `floor` and `ceiling` are [n]. On another `scale` than that of accuracy,
    `chance` is the score of guessing there, NaN where there is none, and `collapses[a]` [n, K]
    tells which cells are at chance. `unlearnt` says that no arm is shown to have learnt, see
    `nothing_learnt`. `alpha` is the chance of any false claim within
    this `condition`; `seed` and `draws` are of the sampled sign vectors above 16 seeds.

    Without the baseline among `scores` only the curves are there. Raises `UsageError` for shapes
    that do not fit and accuracies outside [0, 1].
    """
    confidence = as_confidence(confidence)
    shares = {"alpha": alpha, **({"chance": chance} if scale == Scale() else {})}
    for name, share in shares.items():
        if not 0 <= share < 1 or (name == "alpha" and not share):
            raise UsageError(f"{name}: expected a share between 0 and 1, got {share}")
    whole = tuple(int(s) for s in as_sizes(sizes))
    options = Options(whole, baseline, chance, confidence, alpha, seed, draws, scale)
    arms = _checked(scores, len(whole), scale)
    n = len(next(iter(arms.values())))
    references = {
        name: _scores(values, name, (n,), scale)
        for name, values in (("floor", floor), ("ceiling", ceiling))
        if values is not None
    }
    lengthened = None if ruler is None else _scores(ruler, "ruler", (n, len(ruler_sizes)), scale)
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
        references=_references(arms.get(baseline), references, confidence, scale.sign),
        comparisons=compare_arms(
            arms,
            _failures(failed or {}, arms),
            options,
            ruler=lengthened,
            ruler_sizes=ruler_sizes,
            ceiling=references.get("ceiling"),
            low=_collapses(collapses, arms),
        ),
        scale=scale,
        unlearnt=unlearnt,
    )


def _references(
    plain: Floats | None, given: dict[str, Floats], confidence: float, better: int
) -> References:
    def against(name: str, sign: int) -> tuple[MeanInterval, ...] | None:
        if plain is None or name not in given:
            return None
        return _columns(sign * (plain - given[name][:, None]), confidence)

    means = {name: _mean(values, confidence) for name, values in given.items()}
    return References(
        floor=means.get("floor"),
        ceiling=means.get("ceiling"),
        above_floor=against("floor", better),
        below_ceiling=against("ceiling", -better),
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


def _collapses(
    given: Mapping[str, ArrayLike] | None, arms: dict[str, Floats]
) -> dict[str, NDArray[np.bool_]] | None:
    """The cells [n, K] of every arm that collapsed, where the caller tells; None otherwise."""
    if given is None:
        return None
    found = {name: np.asarray(given[name], dtype=np.bool_) for name in arms if name in given}
    for name, arm in arms.items():
        if name not in found or found[name].shape != arm.shape:
            raise UsageError(f"collapses: expected one of shape {arm.shape} for arm {name!r}")
    return found


def _checked(scores: Mapping[str, ArrayLike], count: int, scale: Scale) -> dict[str, Floats]:
    if not scores:
        raise UsageError("scores: expected at least one augmentation, got none")
    first = as_array(next(iter(scores.values())), "scores", ndim=2)
    shape = (len(first), count)
    return {
        name: _scores(values, f"scores[{name!r}]", shape, scale) for name, values in scores.items()
    }


def _scores(values: ArrayLike, name: str, shape: tuple[int, ...], scale: Scale) -> Floats:
    array = as_array(values, name, ndim=len(shape))
    if array.shape != shape:
        raise UsageError(
            f"{name}: expected shape {shape} (seeds first, the same for all), got {array.shape}"
        )
    if scale.shares and ((array < 0) | (array > 1)).any():
        raise UsageError(
            f"{name}: expected accuracies as shares in [0, 1], got {np.nanmin(array):g} to "
            f"{np.nanmax(array):g}; divide per cent by 100"
        )
    return array
