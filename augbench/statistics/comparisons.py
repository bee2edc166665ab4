"""The comparison of every arm with the baseline, and the family of tests that they form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from augbench.statistics._arrays import TIE, Floats
from augbench.statistics.curves import aulc
from augbench.statistics.failures import (
    Collapses,
    LostSeeds,
    collapsed,
    count_lost,
    failures_at_chance,
)
from augbench.statistics.improvement import probability_of_improvement
from augbench.statistics.intervals import MeanInterval, mean_interval, paired_difference
from augbench.statistics.multipliers import Multiplier, geometric_mean, label_multipliers
from augbench.statistics.pairing import pairing
from augbench.statistics.power import detectable_effect, seeds_for_power
from augbench.statistics.records import Comparison, SizeComparison
from augbench.statistics.references import gap_closed
from augbench.statistics.scale import Scale
from augbench.statistics.signflip import (
    FamilyTest,
    attainable_p,
    family_test,
    seeds_to_reach,
    sign_flip,
    step_down_max_t,
)
from augbench.statistics.spread import spread

__all__ = ["Options", "compare_arms", "family_of_arms", "tested_with_failures"]


@dataclass(frozen=True)
class Options:
    """Settings that all comparisons of one analysis share."""

    sizes: tuple[int, ...]
    baseline: str
    chance: float
    confidence: float
    alpha: float
    seed: int
    draws: int
    scale: Scale = Scale()


def compare_arms(
    arms: dict[str, Floats],
    failed: dict[str, NDArray[np.bool_]],
    options: Options,
    *,
    ruler: Floats | None,
    ruler_sizes: Sequence[int],
    ceiling: Floats | None,
    low: dict[str, NDArray[np.bool_]] | None = None,
) -> tuple[Comparison, ...]:
    """Compare every arm [n, K] with the baseline; empty without one.

    `failed` [n, K] marks the failed cells of the arms that have any; `low` the collapsed
    cells of each, by default those near chance where others learn.
    """
    names = [name for name in arms if name != options.baseline]
    if options.baseline not in arms or not names:
        return ()
    at_chance = failures_at_chance(arms, failed, options.chance)
    family = family_of_arms(arms, at_chance, names, options)
    low = collapsed(arms, options.chance) if low is None else low
    results = []
    for i, name in enumerate(names):
        columns = slice(i * (1 + len(options.sizes)), (i + 1) * (1 + len(options.sizes)))
        multipliers = label_multipliers(
            arms[name],
            arms[options.baseline],
            options.sizes,
            ruler=ruler,
            ruler_sizes=ruler_sizes,
            scale=options.scale,
            confidence=options.confidence,
        )
        rows = _by_size(arms, name, family.p[columns][1:], multipliers, ceiling, options)
        results.append(
            _comparison(
                arms,
                name,
                rows,
                (float(family.p[columns][0]), float(family.levels[columns][0])),
                _lost(arms, at_chance, failed, name, options),
                _collapses(arms, low, name, options),
                options,
            )
        )
    return tuple(results)


def family_of_arms(
    arms: dict[str, Floats], at_chance: dict[str, Floats], names: list[str], options: Options
) -> FamilyTest:
    """Test the family of one condition: each arm's area, then its sizes, arm by arm.

    Areas weigh as much as all sizes together. Where cells failed, a claim must hold with the
    failed cells dropped and with them at chance, in the same direction: the greater p counts.
    """

    def columns(table: dict[str, Floats]) -> Floats:
        delta = [table[name] - table[options.baseline] for name in names]
        return np.column_stack([np.column_stack([aulc(d, options.sizes), d]) for d in delta])

    groups = ([0] + [1] * len(options.sizes)) * len(names) if len(options.sizes) > 1 else None
    return tested_with_failures(
        columns(arms),
        columns(at_chance),
        groups,
        alpha=options.alpha,
        seed=options.seed,
        draws=options.draws,
    )


def tested_with_failures(
    plain: Floats,
    harsh: Floats,
    groups: Sequence[int] | None,
    *,
    alpha: float,
    seed: int,
    draws: int,
) -> FamilyTest:
    """Test a family of differences [n, C], with failed cells dropped and with them at chance.

    `harsh` are the differences with failures at chance. A claim must hold both ways, in the same
    direction: the greater p counts, the lesser level, and p is 1 where the directions differ.
    """

    def tested(differences: Floats) -> FamilyTest:
        return family_test(differences, groups, alpha=alpha, seed=seed, draws=draws)

    result = tested(plain)
    if np.array_equal(plain, harsh, equal_nan=True):
        return result
    bound = tested(harsh)
    agree = np.sign(np.nansum(plain, axis=0)) == np.sign(np.nansum(harsh, axis=0))
    p = np.where(agree, np.maximum(result.p, bound.p), np.where(np.isnan(result.p), math.nan, 1.0))
    return FamilyTest(p, np.minimum(result.levels, bound.levels))


def _comparison(
    arms: dict[str, Floats],
    name: str,
    rows: tuple[SizeComparison, ...],
    tested: tuple[float, float],
    lost: LostSeeds | None,
    collapses: Collapses,
    options: Options,
) -> Comparison:
    areas = aulc(arms[name], options.sizes), aulc(arms[options.baseline], options.sizes)  # [n]
    delta = areas[0] - areas[1]
    whole = [np.where(np.isnan(delta), math.nan, area) for area in areas]
    difference = paired_difference(*areas, confidence=options.confidence)
    least = attainable_p(difference.n)
    # With few seeds the family may leave no level; one sign vector is the least that exists.
    level = max(tested[1], least) if difference.n else math.nan
    # With 6 seeds it is the only one, and the family seldom leaves even that (simulated: where the
    # rest of the formula promises a power of .8, it is .53). Nothing is promised then.
    room = options.alpha * 2.0 ** (difference.n - 1) >= 2
    reachable = _reachable(difference.n, options.alpha)
    return Comparison(
        augmentation=name,
        aulc=mean_interval(whole[0], confidence=options.confidence),
        baseline_aulc=mean_interval(whole[1], confidence=options.confidence),
        difference=difference,
        test=sign_flip(delta, seed=options.seed, draws=options.draws),
        p_adjusted=tested[0],
        least_p=least,
        reachable=reachable,
        seeds_needed=seeds_to_reach(options.alpha),
        detectable=difference.sd * detectable_effect(difference.n, alpha=level)
        if reachable and room
        else math.nan,
        seeds_for_observed=_seeds_for(difference, level if room else options.alpha / 2),
        improvement=probability_of_improvement(
            options.scale.sign * delta, confidence=options.confidence
        ),
        pairing=pairing(*areas),
        spread=spread(*areas),
        lost=lost,
        collapses=collapses,
        by_size=rows,
        average_multiplier=geometric_mean(row.multiplier for row in rows),
    )


def _by_size(
    arms: dict[str, Floats],
    name: str,
    p: Floats,
    multipliers: Sequence[Multiplier],
    ceiling: Floats | None,
    options: Options,
) -> tuple[SizeComparison, ...]:
    treated, plain = arms[name], arms[options.baseline]  # [n, K]
    within = step_down_max_t(treated - plain, seed=options.seed, draws=options.draws)  # [K]
    confidence, better = options.confidence, options.scale.sign
    rows = []
    for k, size in enumerate(options.sizes):
        y, y0 = treated[:, k], plain[:, k]
        paired = ~np.isnan(y - y0)
        difference = paired_difference(y, y0, confidence=confidence)
        established = better * float(np.sign(difference.mean)) if p[k] <= options.alpha else 0.0
        rows.append(
            SizeComparison(
                size=size,
                treated=mean_interval(np.where(paired, y, math.nan), confidence=confidence),
                baseline=mean_interval(np.where(paired, y0, math.nan), confidence=confidence),
                difference=difference,
                p_within=float(within[k]),
                p_adjusted=float(p[k]),
                reachable=_reachable(int(paired.sum()), options.alpha),
                pairing=pairing(y, y0),
                spread=spread(y, y0),
                multiplier=_without_contradiction(multipliers[k], established),
                gap_closed=None
                if ceiling is None
                else gap_closed(better * y, better * y0, better * ceiling, confidence=confidence),
            )
        )
    return tuple(rows)


def _without_contradiction(m: Multiplier, established: float) -> Multiplier:
    """The multiplier, withheld where it lies on the other side than `established` (−1, 0, 1)."""
    above = m.value > 1 or (m.censored == "above" and m.value >= 1)
    below = m.value < 1 or (m.censored == "below" and m.value <= 1)
    if (established > 0 and below) or (established < 0 and above):
        return m.without_number("its seeds point the other way than the established difference")
    return m


def _lost(
    arms: dict[str, Floats],
    at_chance: dict[str, Floats],
    failed: dict[str, NDArray[np.bool_]],
    name: str,
    options: Options,
) -> LostSeeds | None:
    none = np.zeros(arms[name].shape, dtype=np.bool_)
    treated, baseline = count_lost(failed.get(name, none), failed.get(options.baseline, none))
    if not treated and not baseline:
        return None
    areas = (aulc(at_chance[arm], options.sizes) for arm in (name, options.baseline))
    bound = paired_difference(*areas, confidence=options.confidence)
    if math.isnan(options.chance):  # guessing has no score on this scale
        bound = mean_interval(np.full(len(arms[name]), math.nan), confidence=options.confidence)
    return LostSeeds(treated, baseline, len(arms[name]), bound)


def _collapses(
    arms: dict[str, Floats], low: dict[str, NDArray[np.bool_]], name: str, options: Options
) -> Collapses:
    both = ~np.isnan(arms[name]) & ~np.isnan(arms[options.baseline])
    treated, plain = (
        tuple(
            (options.sizes[k], int(i))
            for k, i in zip(*np.nonzero((low[arm] & both).T), strict=True)
        )
        for arm in (name, options.baseline)
    )
    return Collapses(len(treated), len(plain), int(both.sum()), treated, plain)


def _reachable(n: int, alpha: float) -> bool:
    return bool(attainable_p(n) <= alpha * (1 + 1e-12))  # NaN is not reachable


def _seeds_for(difference: MeanInterval, level: float) -> int | None:
    if difference.n < 2 or abs(difference.mean) <= TIE:
        return None
    effect = min(1e3, abs(difference.mean) / max(difference.sd, TIE))
    return seeds_for_power(effect, alpha=level)
