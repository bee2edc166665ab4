"""Classes: the recall of each class under every arm at the largest size, and common mistakes."""

from __future__ import annotations

import numpy as np

from augbench.reports._formatting import number_text
from augbench.reports._tables import Column, Entry, Table, mean_entry
from augbench.reports.sections._section import Report, Section
from augbench.results import Pair
from augbench.statistics import largest_confusions, mean_interval, recall_by_class

__all__ = ["Classes"]

_MOST = 12
"""Classes that the table shows: of more, those that the baseline finds hardest."""
_MISTAKES = 3


class Classes(Section):
    """The share of each class's test images that an arm gets right."""

    name = "classes"

    def table(self, report: Report, pair: Pair) -> Table | None:
        """One row for each class, a column for each arm; None where predictions are not known."""
        result, size = report.result, report.result.sizes[-1]
        balance = result.balance(pair)
        counts = {
            label: result.confusions(pair, label, size) for label in result.augmentations
        }  # [n, classes, classes] each
        counts = {label: one for label, one in counts.items() if len(one)}
        if balance is None or not counts:
            return None
        first = result.baseline if result.baseline in counts else next(iter(counts))
        recalls = {
            label: np.stack([100 * recall_by_class(one) for one in seeds])
            for label, seeds in counts.items()
        }  # [n, classes] each, NaN without test images
        there = [k for k, images in enumerate(balance.images) if images]
        shown = sorted(there, key=lambda k: recalls[first][:, k].mean())[:_MOST]
        shown.sort()
        images = {
            k: [Entry(f"{balance.images[k]:,}", balance.images[k])] if balance.unequal else []
            for k in shown
        }
        rows = tuple(
            (
                Entry(balance.names[k], balance.names[k]),
                *images[k],
                *(
                    mean_entry(mean_interval(one[:, k], confidence=report.confidence))
                    for one in recalls.values()
                ),
            )
            for k in shown
        )
        hardest = f", the {_MOST} hardest of {len(there)} under {first}" * (len(there) > _MOST)
        images_column = [Column("images", "images", "Test images of the class")]
        return Table(
            self.name,
            f"Classes of {pair[1]} at s = {size}: recall in %{hardest}",
            (
                Column("class", "class", words=True),
                *(images_column if balance.unequal else []),
                *(Column(f"arm-{i}", label) for i, label in enumerate(recalls)),
            ),
            rows,
            _mistakes(counts[first].sum(axis=0), balance.names, first),
        )


def _mistakes(counts: np.ndarray, names: tuple[str, ...], label: str) -> str:
    """A sentence on the commonest mistakes of one arm, over all its seeds."""
    told = [
        f"{names[true]} taken for {names[given]} ({number_text(100 * share, 1)} %)"
        for true, given, share in largest_confusions(counts, _MISTAKES)
    ]
    if not told:
        return ""
    return f"Most often under {label}, as a share of the true class: {'; '.join(told)}."
