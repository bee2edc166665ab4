"""Learning curves as coordinates of an SVG, for viewers without scripts (many previews of mail)."""

from __future__ import annotations

import math
from typing import Any

from augbench.reports._formatting import number_text
from augbench.results import Pair, StudyResult

__all__ = ["static_chart"]

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _EDGE = 720, 380, 46, 44, 16


def static_chart(result: StudyResult, pair: Pair, confidence: float) -> dict[str, Any] | None:
    """Coordinates of means and bands, with the style classes of the page; None without results."""
    one = result.primary
    # Ticks stand at whole points of accuracy, at hundredths of a nat.
    places = one.decimals_of_mean - 1
    unit = 10.0**-places
    sizes = tuple(sorted({*result.sizes, *result.ruler_sizes}))
    rows = {
        label: result.intervals(pair, label, sizes, factor=one.factor, confidence=confidence)
        for label in result.augmentations
    }
    ends = [v for means in rows.values() for m in means for v in (m.mean, m.lower, m.upper)]
    known = [end for end in ends if math.isfinite(end)]
    if not known:
        return None
    low, high = math.floor(min(known) / unit), math.ceil(max(known) / unit)
    high = max(high, low + 1)
    logs = [math.log2(size) for size in sizes]
    width = (logs[-1] - logs[0]) or 1.0

    def x(k: int) -> float:
        return round(_LEFT + 12 + (logs[k] - logs[0]) / width * (_WIDTH - _LEFT - 12 - _EDGE), 1)

    def y(value: float) -> float:
        return round(_EDGE + (high - value / unit) / (high - low) * (_HEIGHT - _EDGE - _BOTTOM), 1)

    arms, others = [], 0
    for label, means in rows.items():
        classes = "base"
        if label != result.baseline:
            classes, others = f"c{others % 7} d{others // 7 % 4}", others + 1
        there = [(x(k), mean) for k, mean in enumerate(means) if mean.n]
        wide = [(at, mean) for at, mean in there if math.isfinite(mean.lower)]
        band = [(at, y(m.upper)) for at, m in wide] + [(at, y(m.lower)) for at, m in wide[::-1]]
        line = [(at, y(mean.mean)) for at, mean in there]
        arms.append({"label": label, "classes": classes, "band": band, "line": line})
    step = max(1, math.ceil((high - low) / 6))
    first = low
    if places:  # hundredths of a nat make long ticks unless they are round
        step = _round_step(step)
        first = math.ceil(low / step) * step
    return {
        "title": f"{one.title[:1].upper()}{one.title[1:]} on {pair[1]} in {one.unit}"
        f"{result.view.remark}",
        "width": _WIDTH,
        "height": _HEIGHT,
        "left": _LEFT,
        "bottom": _HEIGHT - _BOTTOM,
        "x_ticks": [(x(k), str(size)) for k, size in enumerate(sizes)],
        "y_ticks": [
            (y(v * unit), number_text(v * unit, places)) for v in range(first, high + 1, step)
        ],
        "arms": arms,
    }


def _round_step(least: int) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50, … that is at least `least`."""
    power = int(10 ** (len(str(least)) - 1))
    return next(k * power for k in (1, 2, 5, 10) if k * power >= least)
