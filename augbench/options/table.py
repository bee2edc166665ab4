"""Every option of a study as one table, and what must hold between several of them.

Their rows stand in `settings.py`, where they change what one cell gives, and in `groups/`, a file
for each heading of the help.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from augbench.errors import OptionError
from augbench.options.groups.compared import NO_DATASET, STUDY, Compared
from augbench.options.groups.files import FILES, Files
from augbench.options.groups.machine import MACHINE, Machine
from augbench.options.groups.trained import NO_SHIFT, READOUTS, Trained
from augbench.options.groups.tuned import TUNING, Tuned
from augbench.options.option import Option, option_table, options_of
from augbench.options.problems import Origin
from augbench.options.recipes import filled_from_recipe
from augbench.options.settings import RECIPE, TRAINING, Settings
from augbench.options.spelling import named

__all__ = ["NO_DATASET", "NO_SHIFT", "READOUTS", "Options", "Settings", "grouped"]


# The last base's rows come first.
@filled_from_recipe
@option_table
class Options(Files, Machine, Tuned, Trained, Compared):
    """A user's study; the defaults are the handout's study, on the embedded data sets.

    Augmentations, data sets and the backbone are specs such as `mixup:alpha=0.4`. Raises
    `OptionError` for a value of the wrong type or out of range.
    """

    @property
    def origin(self) -> Origin:
        """Where they were written, if in a file."""
        origin: Origin = self.__dict__.get("_origin", Origin())
        return origin

    @property
    def given(self) -> frozenset[str]:
        """The names of the options that somebody gave, at their defaults too where that is known.

        The others may be chosen to fit the data.
        """
        told: frozenset[str] | None = self.__dict__.get("_given")
        if told is not None:
            return told
        options = options_of(type(self)).items()
        return frozenset(n for n, option in options if getattr(self, n) != option.default)

    def but(self, **values: Any) -> Self:
        """These options with other values in some places, which count as chosen, not as given."""
        changed = replace(self, **values)
        changed.__dict__.update(_origin=self.origin, _given=self.given)
        return changed

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], /, **given: Any) -> Self:
        """Read a study's options from a file of TOML: `Options.from_file("study.toml", seeds=3)`.

        Options that are given here win over those of the file; a recipe takes the place of all
        that the file says of what recipes set. Paths in the file are relative to its folder. See
        docs/studies.md.

        Raises `OptionError`, one line with its place as FILE:LINE:COLUMN, for a file that cannot
        be read, is no TOML, or has a key or a value that no option takes, or asks for a
        distribution that is not installed; `StudyProblems`, with a line for each, for several.
        """
        from augbench.options.study_file import read_study

        return read_study(cls, Path(path), given)

    def to_file(
        self, path: str | os.PathLike[str], requires: Mapping[str, str] | None = None
    ) -> None:
        """Write a file from which `from_file` reads these options again.

        `requires` are distributions that the study needs, with a version specifier each. Raises
        `OptionError` for a file that cannot be written, or is there already and says otherwise.
        """
        from augbench.options.saving import write_study

        write_study(self, Path(path), requires or {})

    @property
    def settings(self) -> Settings:
        """The hyper-parameters alone, which enter the keys of cells; with the longest budget,
        and the most finetuning images.
        """
        given = {name: getattr(self, name) for name in options_of(Settings)}
        for name in ("pretrain_steps", "finetune_samples_per_class"):
            given[name] = max(given[name])
        return Settings(**given)

    @property
    def corruptions(self) -> tuple[str, ...]:
        """The corruptions that `shift` names; nothing for `none`."""
        return () if self.shift == (NO_SHIFT,) else self.shift

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_shift()
        if self.epochs and self.pretrain_steps != Options.pretrain_steps:
            both = f"{named('epochs')} or {named('pretrain_steps')}"
            raise OptionError(
                f"give either {both}, not both: a study has one kind of budget", "epochs"
            )
        self._check_primary_budget()
        if self.keep_backbones and find_spec("safetensors") is None:
            raise OptionError(
                f"{named('keep_backbones', True)} needs the package safetensors, which is not "
                "installed: pip install safetensors",
                "keep_backbones",
            )
        if NO_DATASET in self.finetune_datasets:
            none = named("finetune_datasets", NO_DATASET)
            if len(self.finetune_datasets) > 1:
                raise OptionError(
                    f"{none} stands alone: it means that no data set is finetuned on",
                    "finetune_datasets",
                )
            if self.readouts != ("own-head",):
                raise OptionError(
                    f"{none} leaves the pretraining head alone to be judged: give "
                    f"{named('readouts', 'own-head')}, or a data set",
                    "finetune_datasets",
                )

    def _check_primary_budget(self) -> None:
        budgets, unit = self.epochs or self.pretrain_steps, "epochs" if self.epochs else "steps"
        if self.primary_budget is not None and self.primary_budget not in budgets:
            raise OptionError(
                f"{named('primary_budget')}: expected one of the study's budgets, "
                f"{' or '.join(f'{one}' for one in sorted(set(budgets)))} {unit}, got "
                f"{self.primary_budget}",
                "primary_budget",
            )

    def _check_shift(self) -> None:
        if any(NO_SHIFT in map(str.strip, text.split(",")) for text in self.corruptions):
            raise OptionError(
                f"{named('shift', NO_SHIFT)} stands alone: it means that nothing is measured under "
                "shift",
                "shift",
            )
        if self.metric == "shift_accuracy" and not self.corruptions:
            raise OptionError(
                f"{named('metric', 'shift_accuracy')} needs measurements under shift: give "
                f"{named('shift', 'standard')} as well",
                "metric",
            )


def grouped(table: type) -> dict[str, dict[str, Option[Any, Any]]]:
    """The options of a table under the headings of the help, by their names in Python."""
    groups: dict[str, dict[str, Option[Any, Any]]] = {
        heading: {} for heading in (STUDY, TRAINING, RECIPE, TUNING, MACHINE, FILES)
    }
    for name, option in options_of(table).items():
        groups.setdefault(option.group, {})[name] = option
    return groups
