"""Arms against sizes as a heat map: differences from the baseline, or means without one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure

from augbench.plotting import PALETTE, in_column, letters, new_figure, wrapped
from augbench.reports._formatting import number_text, signed_text
from augbench.reports._ranking import by_effect
from augbench.reports.figures._units import measured_on, unit_above
from augbench.results import Pair, StudyResult
from augbench.statistics import Analysis, aulc, mean_interval
from augbench.statistics.claims import told_claims

__all__ = ["heat_map"]

_WORSE, _BETTER = PALETTE[1], PALETTE[0]
_DIVERGING = LinearSegmentedColormap.from_list("effects", [_WORSE, "#FFFFFF", _BETTER])
_SEQUENTIAL = LinearSegmentedColormap.from_list("means", ["#FFFFFF", _BETTER])
_SIGNS = {1: "▲", -1: "▼", 0: ""}


@dataclass(frozen=True)
class _Row:
    """A row of the map: its name, a number for each column in the metric's unit, and the signs."""

    name: str
    values: tuple[float, ...]
    signs: tuple[str, ...]


def heat_map(result: StudyResult, pair: Pair, analysis: Analysis | None) -> Figure:
    """A row for each arm, the best first, a column for each size, and one for the average.

    With an `analysis`, cells are differences from the baseline, blue where an augmentation is
    better and orange where it is worse, and a triangle marks those that are established; the
    baseline's own means stand below. Without, cells are means.
    """
    rows = _means(result, pair) if analysis is None else _differences(result, pair, analysis)
    average = "mean" if in_column() else "average"
    columns = [*map(str, result.sizes), *([average] if len(result.sizes) > 1 else [])]
    figure = new_figure(1)
    width = figure.get_figwidth()
    room = letters(0.34 * width)
    names = [wrapped(row.name, room) for row in rows]
    heights = [0.2 * (1 + name.count("\n")) for name in names]
    figure.set_figheight(sum(heights) + 1.0)
    axes = figure.add_subplot()
    edges = np.concatenate([[0], np.cumsum(heights)])  # [rows + 1]
    table = np.array([row.values for row in rows])  # [rows, columns]
    colours, norm = _colours(result, table[:-1] if analysis else table, analysis is not None)
    shades = norm(table)
    if analysis is not None:
        shades[-1] = np.nan  # the baseline's row has another unit
    axes.pcolormesh(
        np.arange(len(columns) + 1), edges, shades, cmap=colours, vmin=0, vmax=1, edgecolors="w"
    )
    size = min(7.5, 72 * 0.6 * width / len(columns) / 4.2)  # six letters and room around them
    for row, top, bottom in zip(rows, edges, edges[1:], strict=False):
        own = row is rows[-1] and analysis is not None
        for k, (value, sign) in enumerate(zip(row.values, row.signs, strict=True)):
            write = number_text if own or analysis is None else signed_text
            places = result.primary.decimals_of_mean if size > 5 else 0
            text = f"{write(value, places)}{sign}"
            dark = not math.isnan(value) and not own and abs(norm(value) - 0.5) > 0.36
            axes.text(
                k + 0.5,
                (top + bottom) / 2,
                text,
                ha="center",
                va="center",
                fontsize=max(size, 5),
                color="white" if dark and analysis is not None else "black",
            )
    axes.set_ylim(edges[-1], 0)
    axes.set_yticks((edges[1:] + edges[:-1]) / 2, names)
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    wide = letters(0.66 * width)
    axes.set_xlabel(wrapped(f"pretraining samples per class of {pair[0]}", wide))
    axes.set_title(wrapped(_title(result, pair, analysis), wide))
    return figure


def _differences(result: StudyResult, pair: Pair, analysis: Analysis) -> list[_Row]:
    factor = result.primary.factor
    order = by_effect(result, pair)

    rows = []
    for c in sorted(analysis.comparisons, key=lambda c: order.index(c.augmentation)):
        claims = told_claims(c, analysis)
        established = {row.size: 1 for row in claims.up} | {row.size: -1 for row in claims.down}
        found = [(row.difference, established.get(row.size, 0)) for row in c.by_size]
        if len(analysis.sizes) > 1:
            found.append((c.difference, claims.area))
        values = tuple(factor * d.mean for d, _ in found)
        signs = tuple(_SIGNS[one] for _, one in found)
        rows.append(_Row(c.augmentation, values, signs))
    return [*rows, _mean_row(result, pair, analysis.baseline)]


def _means(result: StudyResult, pair: Pair) -> list[_Row]:
    return [_mean_row(result, pair, label) for label in by_effect(result, pair)]


def _mean_row(result: StudyResult, pair: Pair, label: str) -> _Row:
    factor = result.primary.factor
    values = [one.mean for one in result.intervals(pair, label, factor=factor)]
    if len(values) > 1:
        areas = aulc(result.scores(pair)[label], result.sizes)
        values.append(factor * mean_interval(areas).mean)
    name = label if label != result.baseline else f"{label} ({result.primary.unit})"
    return _Row(name, tuple(values), ("",) * len(values))


def _colours(
    result: StudyResult, values: np.ndarray, differences: bool
) -> tuple[LinearSegmentedColormap, Normalize]:
    """The colour map and a norm of values to [0, 1], at .5 for no difference."""
    known = values[np.isfinite(values)]
    reverse = result.scale.lower_is_better
    if differences:
        most = float(np.abs(known).max(initial=0)) or 1.0
        colours = _DIVERGING.reversed() if reverse else _DIVERGING
        return colours, TwoSlopeNorm(0, -most, most)
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    colours = _SEQUENTIAL.reversed() if reverse else _SEQUENTIAL
    return colours, Normalize(low, max(high, low + 1e-9))


def _title(result: StudyResult, pair: Pair, analysis: Analysis | None) -> str:
    where = measured_on(result, pair)
    if analysis is None:
        return f"mean {result.primary.title} on {where} ({result.primary.unit}); n = {result.seeds}"
    told = f"{unit_above(result)} above {analysis.baseline} on {where}; n = {analysis.n}"
    any_reachable = any(c.reachable for c in analysis.comparisons)
    return told + ("; ▲ helps, ▼ hurts: established" if any_reachable else "; none established")
