"""Views of a study: one readout on one number of finetuning images, under defaults or tuned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from augbench.protocol.readouts import LINEAR, READOUTS
from augbench.protocol.references import reference
from augbench.store import PlannedCell

__all__ = ["View", "views_of"]


@dataclass(frozen=True)
class View:
    """The part of a study's results that tables and analyses are about.

    `finetune_samples` are the finetuning images of each class, None in a study of but one number;
    `tuned` results are those under the settings that trials have chosen.
    """

    readout: str = LINEAR.name
    finetune_samples: int | None = None
    tuned: bool = False

    @property
    def label(self) -> str:
        """The view in words, such as `knn on 16 finetuning images a class, tuned`."""
        images = f" on {self.finetune_samples} finetuning images a class"
        tuned = ", tuned" if self.tuned else ""
        return f"{self.readout}{images if self.finetune_samples else ''}{tuned}"

    def shows(self, cell: PlannedCell) -> bool:
        """True for a cell of this view; floor and ceiling, which are not tuned, are of both."""
        if (cell.readout, cell.finetune_samples) != (self.readout, self.finetune_samples):
            return False
        if cell.role == "trial":
            return False
        if reference(cell.samples_per_class) is not None:
            return True
        return (cell.role == "tuned") == self.tuned

    @classmethod
    def of(cls, cell: PlannedCell) -> View:
        """The view that a result is of."""
        return cls(cell.readout, cell.finetune_samples, cell.role == "tuned")


def views_of(description: Mapping[str, Any], cells: Iterable[PlannedCell]) -> tuple[View, ...]:
    """Every view of a study, from its description and its cells; the one to read first leads.

    That is the first readout, on the most finetuning images, tuned where a study is. Before its
    trials have chosen, a study has no tuned results.
    """
    sizes = sorted(description.get("finetune_samples_per_class", [None]), reverse=True)
    tuned = any(cell.role == "tuned" for cell in cells)
    return tuple(
        View(name, size, one)
        for one in ((True, False) if tuned else (False,))
        for name in description.get("readouts", [LINEAR.name])
        for size in (sizes if READOUTS[name].on_finetuning_data else (None,))
    )
