"""Lines with bands as coordinates of an SVG, for what the page shows without its script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from augbench.protocol.metrics import PRIMARY
from augbench.reports._formatting import number_text
from augbench.reports._ranking import in_colour_order, leading
from augbench.results import Pair, StudyResult, UnderShift
from augbench.statistics import MeanInterval, mean_interval

__all__ = ["classes_of", "shift_charts", "static_chart"]


@dataclass(frozen=True)
class _Frame:
    """The size of a chart and the room for its axes, in pixels."""

    width: int = 560
    height: int = 330
    left: int = 46
    bottom: int = 30
    edge: int = 16


_PANEL = _Frame(width=320, height=210, left=40, bottom=30, edge=12)


def static_chart(result: StudyResult, pair: Pair, confidence: float) -> dict[str, Any] | None:
    """Coordinates of means and bands, with the style classes of the page; None without results."""
    one = result.primary
    sizes = tuple(sorted({*result.sizes, *result.ruler_sizes}))
    rows = {
        label: result.intervals(pair, label, sizes, factor=one.factor, confidence=confidence)
        for label in result.augmentations
    }
    places = [math.log2(size) for size in sizes]
    # Ticks stand at whole points of accuracy, at hundredths of a nat.
    drawn = _chart(_Frame(), places, rows, classes_of(result, pair), one.decimals_of_mean - 1)
    if drawn is None:
        return None
    x = _scale(places, _Frame())
    return {
        **drawn,
        "title": f"{one.title[:1].upper()}{one.title[1:]} on {pair[1]} in {one.unit}"
        f"{result.view.remark}",
        "x_ticks": [(x(k), str(size)) for k, size in enumerate(sizes)],
    }


def shift_charts(
    result: StudyResult, pair: Pair, found: UnderShift, confidence: float
) -> list[dict[str, Any]]:
    """A chart of accuracy against strength for each kind of corruption, all on one scale."""
    places = [0.0, *map(float, found.strengths)]
    words = ["clean", *map(str, found.strengths)]
    rows = [
        {
            label: [
                mean_interval(PRIMARY.factor * values, confidence=confidence)
                for values in (found.clean[label], *found.accuracies[label][:, number, :].T)
            ]
            for label in found.accuracies
        }
        for number in range(len(found.kinds))
    ]
    every = [mean for arms in rows for means in arms.values() for mean in means]
    classes, x = classes_of(result, pair), _scale(places, _PANEL)
    charts = []
    for kind, arms in zip(found.kinds, rows, strict=True):
        drawn = _chart(_PANEL, places, arms, classes, 0, every)
        if drawn is not None:
            ticks = [(x(k), word) for k, word in enumerate(words)]
            charts.append({**drawn, "title": kind, "x_ticks": ticks})
    return charts


def classes_of(result: StudyResult, pair: Pair) -> dict[str, str]:
    """The style classes of each arm: a colour and dashes, or faint behind the best few."""
    order, first = in_colour_order(result), leading(result, pair)
    found = {}
    for label in result.augmentations:
        if label == result.baseline:
            found[label] = "base"
        elif label in first:
            found[label] = f"c{order.index(label) % 7} d{order.index(label) // 7 % 4}"
        else:
            found[label] = "faint"
    return found


def _scale(places: Sequence[float], frame: _Frame) -> Any:
    """The function from the number of a place to its horizontal coordinate."""
    reach = (places[-1] - places[0]) or 1.0
    left, right = frame.left + 12, frame.width - frame.edge

    def x(k: int) -> float:
        return round(left + (places[k] - places[0]) / reach * (right - left), 1)

    return x


def _chart(
    frame: _Frame,
    places: Sequence[float],
    rows: Mapping[str, Sequence[MeanInterval]],
    classes: Mapping[str, str],
    decimals: int,
    scaled_to: Sequence[MeanInterval] = (),
) -> dict[str, Any] | None:
    """Lines, bands and vertical ticks; the faint ones first, below the others."""
    unit = 10.0**-decimals
    means = scaled_to or [mean for arm in rows.values() for mean in arm]
    ends = [end for m in means for end in (m.mean, m.lower, m.upper) if math.isfinite(end)]
    if not ends:
        return None
    low, high = math.floor(min(ends) / unit), math.ceil(max(ends) / unit)
    high = max(high, low + 1)
    x = _scale(places, frame)

    def y(value: float) -> float:
        room = frame.height - frame.edge - frame.bottom
        return round(frame.edge + (high - value / unit) / (high - low) * room, 1)

    arms = []
    for label in sorted(rows, key=lambda label: classes[label] != "faint"):
        there = [(x(k), mean) for k, mean in enumerate(rows[label]) if mean.n]
        wide = [(at, mean) for at, mean in there if math.isfinite(mean.lower)]
        band = [(at, y(m.upper)) for at, m in wide] + [(at, y(m.lower)) for at, m in wide[::-1]]
        faint = classes[label] == "faint"
        arms.append(
            {
                "label": label,
                "classes": classes[label],
                "faint": faint,
                "band": band,
                "line": [(at, y(mean.mean)) for at, mean in there],
            }
        )
    step = _round_step(max(1, math.ceil((high - low) / 6)))
    first = math.ceil(low / step) * step
    return {
        "width": frame.width,
        "height": frame.height,
        "left": frame.left,
        "right": frame.width - frame.edge,
        "bottom": frame.height - frame.bottom,
        "y_ticks": [
            (y(v * unit), number_text(v * unit, decimals)) for v in range(first, high + 1, step)
        ],
        "arms": arms,
        "others": sum(classes[label] == "faint" for label in rows),
    }


def _round_step(least: int) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50, … that is at least `least`."""
    power = int(10 ** (len(str(least)) - 1))
    return next(k * power for k in (1, 2, 5, 10) if k * power >= least)
