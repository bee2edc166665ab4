"""Which cells of a pack share a pass over images, and which share a fit of their readouts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace

from augbench.options import options_of
from augbench.protocol.recipe import OF_EACH_CELL
from augbench.protocol.study import Cell, Settings

__all__ = ["Member", "fitted_alike", "grouped", "measured_on", "validation_set"]


@dataclass(frozen=True)
class Member:
    """A cell, and the number of its backbone."""

    k: int
    cell: Cell


def grouped(members: Iterable[Member], key: Callable[[Cell], Hashable]) -> list[list[Member]]:
    """The members of each value of a key, in the order that each value is met first."""
    groups: dict[Hashable, list[Member]] = {}
    for one in members:
        groups.setdefault(key(one.cell), []).append(one)
    return list(groups.values())


def measured_on(cell: Cell) -> Hashable:
    """A value that is equal for cells whose images can be measured in one pass."""
    trial, data = cell.trial, cell.judged_on.content_hash
    if trial is None:
        return data
    if trial.folds:
        assert cell.samples_per_class is not None  # a ceiling has no trial
        return data, trial.in_fold(cell.samples_per_class)
    return data, trial.validation_samples_per_class, cell.settings.finetune_samples_per_class


def validation_set(cell: Cell) -> Hashable:
    """A value that is equal for trials of one pack that are measured on the same images."""
    assert cell.trial is not None
    trial, size = replace(cell.trial, number=0), cell.settings.finetune_samples_per_class
    return cell.seed, trial, (cell.samples_per_class if trial.folds else size)


def fitted_alike(cell: Cell) -> Hashable:
    """A value that is equal for cells whose readouts one fit can serve."""
    settings, readout = cell.settings, cell.judged_by
    own = [
        getattr(settings, name)
        for name, option in options_of(Settings).items()
        if option.key
        and option.key.part == readout.settings
        and option.key.name not in OF_EACH_CELL
    ]
    sizes = settings.finetune_samples_per_class, settings.calibration_samples_per_class
    return readout.name, settings.batch_size, *own, *(sizes if readout.on_finetuning_data else ())
