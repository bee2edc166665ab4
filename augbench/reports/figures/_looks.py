"""The colour, marker and dashes of each augmentation, the same in every figure of a study."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from augbench.plotting import PALETTE
from augbench.reports._ranking import in_colour_order, leading
from augbench.results import Pair, StudyResult

__all__ = ["Cast", "Look", "cast", "faint_lines", "looks"]

# No triangles, which are censoring arrows; one more than colours, so that up to 56 arms differ.
_MARKERS = "sDPXhpd*"
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
_FAINT: dict[str, Any] = {"color": "#C4C4C4", "linewidth": 0.6}


@dataclass(frozen=True)
class Look:
    """The look of one augmentation in every figure."""

    colour: str
    marker: str
    dashes: Any
    shade: float
    """Opacity of a band: fainter where many lie above each other."""

    @property
    def line(self) -> dict[str, Any]:
        """The keyword arguments of `Axes.plot`."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "linestyle": self.dashes,
            "markersize": 4,
            "linewidth": 1.5,
        }


@dataclass(frozen=True)
class Cast:
    """The arms that a figure shows in full with their looks, and those that stay behind.

    In the order of the plan, the baseline among the first.
    """

    looks: dict[str, Look]
    others: tuple[str, ...]
    best: int
    """How many of `looks` are not the baseline's."""

    def note(self, what: str) -> str:
        """Words on the arms that are not shown in full, and what became of them; "" for none."""
        if not self.others:
            return ""
        best, count = self.best, len(self.others)
        return f"the {best} best of {best + count} arms, the other {count} {what}"


def cast(result: StudyResult, pair: Pair) -> Cast:
    """The baseline and the augmentations with the greatest effect in full, of many arms."""
    first, every = leading(result, pair), looks(result)
    shown = [label for label in every if label == result.baseline or label in first]
    others = tuple(label for label in every if label not in shown)
    return Cast({label: every[label] for label in shown}, others, len(first))


def looks(result: StudyResult) -> dict[str, Look]:
    """A look for each augmentation: black for the baseline, new dashes when colours run out.

    Those that figures show in full, of any pair, have the first colours.
    """
    ordered = in_colour_order(result)
    shade = 0.15 if len(ordered) <= 4 else 0.08
    assigned = {
        label: Look(
            PALETTE[i % len(PALETTE)],
            _MARKERS[i % len(_MARKERS)],
            _DASHES[i // len(PALETTE) % len(_DASHES)],
            shade,
        )
        for i, label in enumerate(ordered)
    }
    plain = Look("#000000", "o", "-", shade)
    return {label: assigned.get(label, plain) for label in result.augmentations}


def faint_lines(
    axes: Axes, x: Sequence[float], curves: Iterable[Sequence[float]]
) -> list[tuple[Artist, str]]:
    """Curves behind all others, as one grey artist; returns its entry of a legend, if any."""
    rows = [np.append(np.asarray(curve, float), np.nan) for curve in curves]
    if not rows:
        return []
    places = np.tile(np.append(np.asarray(x, float), np.nan), len(rows))
    axes.plot(places, np.concatenate(rows), zorder=1.2, **_FAINT)
    return [(Line2D([], [], **_FAINT), f"{len(rows)} other arms")]
