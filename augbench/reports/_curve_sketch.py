"""Learning curves as a small inline SVG for notebooks: no scripts, no styles, legible on any paper.

Frontends may show it on white or nearly black, and some drop style sheets: colours are attributes,
each with a contrast of 3 to both, and everything else has the colour of the text around.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from augbench.reports._static_chart import static_chart
from augbench.results import Pair, StudyResult

__all__ = ["CURVE_COLOURS", "Curve", "CurveSketch", "curve_sketch"]

CURVE_COLOURS = ("#0a7fc2", "#d55e00", "#00936b", "#b8609a", "#b07800", "#3a96c8", "#7f7f7f")
"""Those of all figures (Okabe and Ito 2008) in their order, darker where white needs it."""

_NAMED = 6
"""The best arms that have a colour; fewer than there are, so that no two have the same."""

_BASELINE = "currentColor"


@dataclass(frozen=True)
class Curve:
    """One curve: whether a legend names it, its points, and the outline of its band."""

    label: str
    colour: str
    named: bool
    line: str
    band: str
    marks: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class CurveSketch:
    """The coordinates of a drawing: faint curves first, the baseline last."""

    chart: dict[str, Any]
    curves: tuple[Curve, ...]

    @property
    def named(self) -> tuple[Curve, ...]:
        """The curves of a legend: the baseline, then the best arms."""
        return tuple(one for one in self.curves[::-1] if one.named)

    @property
    def faint(self) -> int:
        """The number of curves that have no colour of their own."""
        return sum(not one.named for one in self.curves)


def curve_sketch(
    result: StudyResult, pair: Pair, best: Sequence[str], *, confidence: float = 0.95
) -> CurveSketch | None:
    """The baseline and the first of the `best` in colour, further arms faint.

    None without results.
    """
    chart = static_chart(result, pair, confidence)
    if chart is None:
        return None
    colours = _colours(result, best[:_NAMED])
    rank = {label: k for k, label in enumerate(colours)}
    arms = sorted(chart["arms"], key=lambda arm: -rank.get(arm["label"], len(rank)))
    return CurveSketch(
        chart,
        tuple(
            Curve(
                arm["label"],
                colours.get(arm["label"], "currentColor"),
                arm["label"] in colours,
                _points(arm["line"]),
                _points(arm["band"]),
                tuple(arm["line"]),
            )
            for arm in arms
        ),
    )


def _colours(result: StudyResult, best: Sequence[str]) -> dict[str, str]:
    """The colours of the baseline and the best arms, in that order: as in figures, where free."""
    others = [label for label in result.augmentations if label != result.baseline]
    found: dict[str, str] = {}
    for label in (one for one in best if one != result.baseline):
        number = others.index(label)
        turns = (CURVE_COLOURS[(number + k) % len(CURVE_COLOURS)] for k in range(len(others)))
        found[label] = next(one for one in turns if one not in found.values())
    return found if result.baseline is None else {result.baseline: _BASELINE, **found}


def _points(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)
