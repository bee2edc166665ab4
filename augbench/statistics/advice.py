"""What to use at each size: the claims against the baseline and the set of best arms together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from augbench.statistics.best import BestArms, BestSet
from augbench.statistics.claims import claims_of
from augbench.statistics.records import Analysis

__all__ = ["Advice", "advice"]


@dataclass(frozen=True)
class Advice:
    """What to use at some sizes, in samples per class; without a size, on average over the curve.

    `use` are the arms that serve: where it holds several, they cannot be told apart; where it holds
    the baseline, that alone. It is empty where nothing is decided. `hurt` are the arms that are
    established to hurt there. `rivals` may be as good as those, though they are not established to
    help.
    """

    sizes: tuple[int, ...]
    use: tuple[str, ...]
    hurt: tuple[str, ...]
    rivals: tuple[str, ...] = ()


def advice(analysis: Analysis, best: BestArms | None) -> tuple[tuple[Advice, ...], Advice]:
    """Advise on every size, sizes with equal advice together, and on the average of the curve.

    An arm is advised where it is established to help, p-values being corrected for all arms and
    sizes, and may be the best (`best`, see `augbench.statistics.best_arms`); the baseline where
    every other arm is established to hurt. So any advice against the truth takes an established
    difference that is false, of which the chance is alpha over the whole condition; only the choice
    among arms that help is made at alpha for each size. Elsewhere nothing is decided: an arm that
    leads by an unproven difference is not advised.
    """
    if analysis.unlearnt is not None or not analysis.comparisons:
        return (), Advice((), (), ())
    claims = {
        c.augmentation: claims_of(c, analysis.alpha, analysis.scale) for c in analysis.comparisons
    }
    of_size = {one.size: one for one in best.by_size} if best is not None else {}
    groups: dict[tuple[tuple[str, ...], ...], list[int]] = {}
    for size in analysis.sizes:
        signs = {
            name: sum(row.size == size for row in one.up)
            - sum(row.size == size for row in one.down)
            for name, one in claims.items()
        }
        groups.setdefault(_advised(signs, of_size.get(size), analysis.baseline), []).append(size)
    areas = {name: one.area for name, one in claims.items()}
    overall = best.overall if best is not None else None
    return (
        tuple(Advice(tuple(sizes), *found) for found, sizes in groups.items()),
        Advice((), *_advised(areas, overall, analysis.baseline)),
    )


def _advised(
    signs: Mapping[str, int], best: BestSet | None, baseline: str
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Arms to use, those that hurt, and rivals; `signs` are the established directions of all."""
    hurt = tuple(name for name, sign in signs.items() if sign < 0)
    helping = tuple(name for name, sign in signs.items() if sign > 0)
    if helping:
        kept = best.best if best is not None and best.reachable else tuple(signs)
        use = tuple(name for name in helping if name in kept) or helping
        rivals = (name for name in kept if name not in (*helping, *hurt, baseline))
        return use, hurt, tuple(rivals)
    return ((baseline,) if len(hurt) == len(signs) else ()), hurt, ()
