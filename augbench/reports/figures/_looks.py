"""The colour, marker and dashes of each augmentation, the same in every figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from augbench.plotting import PALETTE
from augbench.results import StudyResult

__all__ = ["Look", "looks"]

# No triangles, which are censoring arrows; one more than colours, so that up to 56 arms differ.
_MARKERS = "sDPXhpd*"
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))


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


def looks(result: StudyResult) -> dict[str, Look]:
    """A look for each augmentation: black for the baseline, new dashes when colours run out."""
    others = [label for label in result.augmentations if label != result.baseline]
    shade = 0.15 if len(others) <= 4 else 0.06
    assigned = {
        label: Look(
            PALETTE[i % len(PALETTE)],
            _MARKERS[i % len(_MARKERS)],
            _DASHES[i // len(PALETTE) % len(_DASHES)],
            shade,
        )
        for i, label in enumerate(others)
    }
    plain = Look("#000000", "o", "-", shade)
    return {label: assigned.get(label, plain) for label in result.augmentations}
