"""Comparisons of any two arms in the terminal: those that are established, then the others."""

from __future__ import annotations

import math
from dataclasses import replace

import rich.console
import rich.table

from augbench.reports._formatting import decimals_for, interval_text, p_text, signed_text
from augbench.reports.console import Console, plain
from augbench.results import Pair, StudyResult
from augbench.statistics import ALPHA, MeanInterval, PairDifference, Scale, seeds_to_reach

__all__ = ["print_pairs"]

_MOST = 20  # rows of the table; of more, the number
_TOLD = 6  # undecided pairs that are named; of more, the number


def print_pairs(
    result: StudyResult, console: rich.console.Console | None = None, *, confidence: float = 0.95
) -> None:
    """Print, for each pair of data sets, which arm is better than which, by all pairs' family."""
    console = console or Console()
    for pair in result.pairs:
        _print_one(result, pair, console, confidence)


def _print_one(
    result: StudyResult, pair: Pair, console: rich.console.Console, confidence: float
) -> None:
    found = result.pairwise(pair, confidence=confidence)
    if not found:
        console.print(
            f"{pair[0]} → {pair[1]}: nothing to compare; two arms with results are needed",
            markup=False,
            highlight=False,
        )
        return
    first, last = result.sizes[0], result.sizes[-1]
    sizes = f"on average over {first} to {last} samples per class"
    if first == last:
        sizes = f"at {first} samples per class"
    one = len(found) == 1
    console.print(
        f"{pair[0]} → {pair[1]}: {'one pair' if one else f'all {len(found):,} pairs'} of arms, "
        f"{sizes}; exploratory, paired sign flips"
        f"{'' if one else ', p-values corrected for all pairs'}",
        markup=False,
        highlight=False,
    )
    n = max(row.difference.n for row in found)
    if n < seeds_to_reach(ALPHA):
        console.print(
            f"no pair can be told apart with {n} seed{'s' * (n != 1)}; at least "
            f"{seeds_to_reach(ALPHA)} are needed",
            markup=False,
            highlight=False,
        )
        return
    established = sorted(
        (row for row in found if row.p <= ALPHA),
        key=lambda row: (row.p, -abs(row.difference.mean)),
    )
    if established:
        console.print(_table(established[:_MOST], result.scale, confidence))
    if len(established) > _MOST:
        console.print(
            f"and {len(established) - _MOST:,} other pairs that are told apart; "
            "`augbench report --against ARM` has those of one arm",
            markup=False,
            highlight=False,
        )
    _print_undecided([row for row in found if not row.p <= ALPHA], console)


def _table(rows: list[PairDifference], scale: Scale, confidence: float) -> rich.table.Table:
    table = rich.table.Table()
    for title, side in (("better", "left"), ("than", "left"), (f"{scale.unit}", "right")):
        table.add_column(plain(title), justify=side, overflow="fold")  # type: ignore[arg-type]
    table.add_column(f"{100 * confidence:.6g} % interval", justify="right", no_wrap=True)
    table.add_column("p", justify="right", no_wrap=True)
    for row in rows:
        wins = scale.sign * row.difference.mean > 0
        names = (row.first, row.second) if wins else (row.second, row.first)
        difference = row.difference if wins else _turned(row.difference)
        places = max(decimals_for(scale.factor * difference.half_width), scale.decimals)
        low, high = scale.factor * difference.lower, scale.factor * difference.upper
        table.add_row(
            *map(plain, names),
            signed_text(scale.factor * difference.mean, places),
            interval_text(low, high, places, sign=True),
            p_text(row.p),
        )
    return table


def _turned(difference: MeanInterval) -> MeanInterval:
    """The difference of the same two arms the other way round."""
    return replace(
        difference, mean=-difference.mean, lower=-difference.upper, upper=-difference.lower
    )


def _print_undecided(rows: list[PairDifference], console: rich.console.Console) -> None:
    if not rows:
        return
    told = "; ".join(
        f"{row.first} and {row.second}" + ("" if math.isnan(row.p) else f" (p = {p_text(row.p)})")
        for row in sorted(rows, key=lambda row: row.p)[:_TOLD]
    )
    more = f"; and {len(rows) - _TOLD:,} other pairs" if len(rows) > _TOLD else ""
    console.print(f"not told apart: {told}{more}", markup=False, highlight=False)
