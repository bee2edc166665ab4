"""Everything that a report prints about one pair of data sets, computed once.

`analyse` turns accuracies into a tree of frozen dataclasses; tables, figures and the verdict only
read it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from augbench.errors import UsageError
from augbench.statistics._arrays import TIE, Floats, as_array, as_confidence, as_sizes
from augbench.statistics.curves import aulc
from augbench.statistics.improvement import probability_of_improvement
from augbench.statistics.intervals import MeanInterval, mean_interval, paired_difference
from augbench.statistics.multiple import holm, holm_families
from augbench.statistics.multipliers import Multiplier, geometric_mean, label_multipliers
from augbench.statistics.pairing import pairing
from augbench.statistics.power import detectable_effect, seeds_for_power
from augbench.statistics.references import gap_closed
from augbench.statistics.signflip import (
    attainable_p,
    seeds_to_reach,
    sign_flip,
    step_down_max_t,
)
from augbench.statistics.tree import Analysis, Comparison, Curve, References, SizeComparison

__all__ = ["analyse"]


def analyse(
    scores: Mapping[str, ArrayLike],
    sizes: Sequence[int],
    *,
    baseline: str = "none",
    ruler: ArrayLike | None = None,
    ruler_sizes: Sequence[int] = (),
    floor: ArrayLike | None = None,
    ceiling: ArrayLike | None = None,
    confidence: float = 0.95,
    alpha: float = 0.05,
    seed: int = 0,
) -> Analysis:
    """Compare every augmentation in `scores` with `baseline`.

    `scores[a]` is [n, K], the accuracy in [0, 1] of n seeds (the same seeds, in the same order, for
    every augmentation) at K `sizes`; NaN is a missing cell. `ruler` [n, R] is the baseline at
    further `ruler_sizes`; `floor` and `ceiling` are [n]. `alpha` is the family-wise error over all
    augmentations; `seed` starts the sampling of sign vectors above 16 seeds.

    Without the baseline among `scores` only the curves are there. Raises `UsageError` for shapes
    that do not fit and accuracies outside [0, 1].
    """
    confidence = as_confidence(confidence)
    if not 0 < alpha < 1:
        raise UsageError(f"alpha: expected a share between 0 and 1, got {alpha}")
    arms = _checked(scores, len(as_sizes(sizes)))
    n = len(next(iter(arms.values())))
    references = {
        name: _accuracies(values, name, (n,))
        for name, values in (("floor", floor), ("ceiling", ceiling))
        if values is not None
    }
    lengthened = None if ruler is None else _accuracies(ruler, "ruler", (n, len(ruler_sizes)))
    order = np.argsort(ruler_sizes)
    return Analysis(
        n=n,
        sizes=tuple(int(s) for s in sizes),
        baseline=baseline,
        ruler_sizes=tuple(int(ruler_sizes[i]) for i in order),
        confidence=confidence,
        alpha=alpha,
        curves=tuple(
            Curve(name, _columns(arm, confidence), _mean(aulc(arm, sizes), confidence))
            for name, arm in arms.items()
        ),
        ruler=() if lengthened is None else _columns(lengthened[:, order], confidence),
        references=_references(arms.get(baseline), references, confidence),
        comparisons=_comparisons(
            arms, baseline, sizes, lengthened, ruler_sizes, references, confidence, alpha, seed
        ),
    )


def _comparisons(
    arms: dict[str, Floats],
    baseline: str,
    sizes: Sequence[int],
    ruler: Floats | None,
    ruler_sizes: Sequence[int],
    references: dict[str, Floats],
    confidence: float,
    alpha: float,
    seed: int,
) -> tuple[Comparison, ...]:
    names = [name for name in arms if name != baseline]
    if baseline not in arms or not names:
        return ()
    plain = arms[baseline]  # [n, K]
    areas = {name: aulc(arm, sizes) for name, arm in arms.items()}  # [n]
    tests = {name: sign_flip(areas[name] - areas[baseline], seed=seed) for name in names}
    adjusted = holm([tests[name].p for name in names])  # [m]
    least = holm([attainable_p(tests[name].n) for name in names])  # [m]
    within = np.stack([step_down_max_t(arms[name] - plain, seed=seed) for name in names])  # [m, K]
    across = holm_families(within)  # [m, K]
    needed = seeds_to_reach(len(names), alpha=alpha)
    results = []
    for i, name in enumerate(names):
        paired = ~np.isnan(areas[name] - areas[baseline])  # [n]
        difference = paired_difference(areas[name], areas[baseline], confidence=confidence)
        multipliers = label_multipliers(
            arms[name], plain, sizes, ruler=ruler, ruler_sizes=ruler_sizes, confidence=confidence
        )
        results.append(
            Comparison(
                augmentation=name,
                aulc=_mean(np.where(paired, areas[name], math.nan), confidence),
                baseline_aulc=_mean(np.where(paired, areas[baseline], math.nan), confidence),
                difference=difference,
                test=tests[name],
                p_adjusted=float(adjusted[i]),
                least_p=float(least[i]),
                reachable=bool(least[i] <= alpha * (1 + 1e-12)),  # NaN is not reachable
                seeds_needed=needed,
                detectable=difference.sd
                * detectable_effect(difference.n, alpha=alpha / len(names)),
                seeds_for_observed=_seeds_for(difference, alpha / len(names), needed),
                improvement=probability_of_improvement(
                    areas[name] - areas[baseline], confidence=confidence
                ),
                pairing=pairing(areas[name], areas[baseline]),
                by_size=tuple(
                    _at_size(
                        int(size),
                        arms[name][:, k],
                        plain[:, k],
                        (float(within[i, k]), float(across[i, k])),
                        multipliers[k],
                        references.get("ceiling"),
                        confidence,
                    )
                    for k, size in enumerate(sizes)
                ),
                average_multiplier=geometric_mean(multipliers),
            )
        )
    return tuple(results)


def _seeds_for(difference: MeanInterval, alpha: float, least: int) -> int | None:
    if difference.n < 2 or abs(difference.mean) <= TIE:
        return None
    if difference.sd <= TIE:
        return least
    effect = abs(difference.mean) / difference.sd
    if effect < 0.01:  # some 80,000 seeds: no plan
        return None
    return max(least, seeds_for_power(effect, alpha=alpha))


def _at_size(
    size: int,
    treated: Floats,
    plain: Floats,
    pvalues: tuple[float, float],
    multiplier: Multiplier,
    ceiling: Floats | None,
    confidence: float,
) -> SizeComparison:
    paired = ~np.isnan(treated - plain)
    return SizeComparison(
        size=size,
        treated=_mean(np.where(paired, treated, math.nan), confidence),
        baseline=_mean(np.where(paired, plain, math.nan), confidence),
        difference=paired_difference(treated, plain, confidence=confidence),
        p_within=pvalues[0],
        p_adjusted=pvalues[1],
        pairing=pairing(treated, plain),
        multiplier=multiplier,
        gap_closed=None
        if ceiling is None
        else gap_closed(treated, plain, ceiling, confidence=confidence),
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
