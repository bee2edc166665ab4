"""Views of a study: one readout on one number of finetuning images, under defaults or tuned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from augbench.errors import UsageError
from augbench.protocol.readouts import LINEAR, READOUTS
from augbench.protocol.references import reference
from augbench.store import PlannedCell

__all__ = ["View", "find_view", "views_of"]

_SHORT = {
    "own-head": "the pretraining head",
    "knn": "nearest neighbours",
    "full": "full finetuning",
}
"""The readouts but the linear one, in a few words for a caption."""


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

    @property
    def untuned(self) -> View:
        """The same readout at the defaults."""
        return replace(self, tuned=False)

    @property
    def reading(self) -> str:
        """The view without whether it is tuned, such as `knn on 16 finetuning images a class`."""
        return self.untuned.label

    @property
    def words(self) -> str:
        """The view as captions tell it, `nearest neighbours, tuned`; "" for the usual one."""
        told = [
            *([_SHORT[self.readout]] if self.readout in _SHORT else []),
            *([f"{self.finetune_samples} finetuning images a class"] * bool(self.finetune_samples)),
            *(["tuned"] * self.tuned),
        ]
        return ", ".join(told)

    @property
    def remark(self) -> str:
        """The same in parentheses, to stand behind a caption."""
        return f" ({self.words})" if self.words else ""

    def place(self, pair: tuple[str, str]) -> str:
        """The trainings behind a result of this view on a pair, in words for a caption."""
        pretrain, finetune = pair
        text = {
            "own-head": f"the pretraining head on {pretrain}",
            "knn": f"pretrained on {pretrain}, nearest neighbours on {finetune}",
            "full": f"pretrained on {pretrain}, all weights finetuned on {finetune}",
        }.get(self.readout, f"pretrained on {pretrain}, finetuned on {finetune}")
        if self.finetune_samples:
            text += f" ({self.finetune_samples} images a class)"
        return f"{text}, tuned" if self.tuned else text

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


def find_view(
    views: Sequence[View],
    *,
    readout: str | None = None,
    finetune_samples: int | None = None,
    tuned: bool | None = None,
    usual: int | None = None,
) -> View:
    """The first of a study's views that is what was asked for; None asks for nothing.

    `usual` are the finetuning images of each class in a study of but one number. Raises
    `UsageError`, which names the views that there are.
    """

    def images(view: View) -> int | None:
        on_images = READOUTS[view.readout].on_finetuning_data
        return view.finetune_samples or (usual if on_images else None)

    for view in views:
        if (
            readout in (None, view.readout)
            and finetune_samples in (None, images(view))
            and tuned in (None, view.tuned)
        ):
            return view
    asked = [
        *([readout] if readout else []),
        *([] if finetune_samples is None else [f"{finetune_samples} finetuning images a class"]),
        *([] if tuned is None else ["tuned" if tuned else "at the defaults"]),
    ]
    if finetune_samples is not None:  # then a single number is worth telling
        views = [replace(view, finetune_samples=images(view)) for view in views]
    raise UsageError(
        f"the study has no results of {', '.join(asked)}; it has those of "
        f"{'; '.join(view.label for view in views)}"
    )
