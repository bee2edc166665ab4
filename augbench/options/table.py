"""Every option of a study, declared once.

A row here is all that an option takes: the command line, `augbench.run` and `plan`, the stored
study, the cells' keys, the reports and every message read it. Options that change what a cell gives
stand in `settings.py`; those that only plan or run a study stand here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from augbench.errors import OptionError
from augbench.options.arms import Arms
from augbench.options.kinds import (
    Choice,
    Count,
    Folder,
    Name,
    Names,
    OptionalCount,
    OptionalFolder,
    OptionalName,
    OptionalNumber,
    Sizes,
    Switch,
    Words,
)
from augbench.options.metric_names import METRIC_NAMES
from augbench.options.option import Option, Shorthand, options_of
from augbench.options.problems import Origin
from augbench.options.recipes import RECIPES, filled_from_recipe
from augbench.options.settings import RECIPE, TRAINING, Settings
from augbench.options.spelling import named

__all__ = ["NO_DATASET", "NO_SHIFT", "READOUTS", "Options", "Settings", "grouped"]

READOUTS = ("linear", "own-head", "knn", "full")
"""The names of the readouts; `augbench.protocol.readouts` says what each is."""

NO_DATASET = "none"
"""In the place of a finetuning data set: nothing is finetuned."""

NO_SHIFT = "none"
"""In the place of corruptions: nothing is measured under shift."""

STUDY = "What is compared"
TUNING = "How it is tuned"
MACHINE = "Where it runs"
FILES = "Files and plugins"


@filled_from_recipe
@dataclass(frozen=True, repr=False)
class Options(Settings):
    """A user's study; the defaults are the handout's study, on the embedded data sets.

    Augmentations, data sets and the backbone are specs such as `mixup:alpha=0.4`. Raises
    `OptionError` for a value of the wrong type or out of range.
    """

    augmentations: Names = Names(
        "--aug",
        empty=True,
        lists=True,
        default=("collage", "mixup"),
        title="augmentations",
        help="Augmentations: collage,mixup or mixup:alpha=0.4, crop-flip+mixup in sequence, "
        "cutmix@0.5 with a probability, 'mixup|cutmix' one of several, mixup:alpha=0.1/0.3 a grid "
        "of arms; `all` for every installed one.",
        group=STUDY,
    )
    _: KW_ONLY
    arms: Arms = Arms(
        "--arm",
        table=Settings,
        default=(),
        title="arms",
        help="An arm with settings of its own: name, aug, and any option of training.",
        group=STUDY,
    )
    base: OptionalName = OptionalName(
        "--base",
        what="augmentations",
        default=None,
        none_words="nothing",
        title="base",
        help="Augmentations under every arm, the baseline included, as in crop-flip:flip=false.",
        group=STUDY,
        reported=True,
    )
    baseline: OptionalName = OptionalName(
        "--baseline",
        what="an augmentation",
        shorthands=(Shorthand("--no-baseline", None, "Leave the baseline out."),),
        default="none",
        none_words="no baseline",
        title="baseline",
        help="What the arms are compared with.",
        group=STUDY,
    )
    dataset: OptionalName = OptionalName(
        "--dataset",
        what="a data set",
        default=None,
        none_words="what the two options below name",
        title="data set of both sides",
        help="One data set to pretrain on, to finetune on and to measure: a name, or your own "
        "folder with one folder a class, as in photos or photos:size=64. See docs/photos.md.",
        group=STUDY,
    )
    pretrain_datasets: Names = Names(
        "--pre-train-dataset",
        lists=True,
        default=("glyph-digits",),
        title="pretraining data sets",
        help="Data sets to pretrain on; every pair is studied.",
        group=STUDY,
    )
    finetune_datasets: Names = Names(
        "--finetune-dataset",
        lists=True,
        default=("glyph-letters",),
        title="finetuning data sets",
        help="Data sets to finetune the head on, and to measure; `none` to measure the pretraining "
        "head alone.",
        group=STUDY,
    )
    backbone: Name = Name(
        "--backbone",
        default="convnet",
        title="backbone",
        help="The network that is pretrained.",
        group=STUDY,
    )
    samples_per_class: Sizes = Sizes(
        "--samples-per-class",
        default=(1, 2, 4, 8, 16, 32, 64),
        title="samples per class",
        help="Pretraining images of each class.",
        group=STUDY,
        reported=True,
    )
    ruler_sizes: Sizes = Sizes(
        "--ruler",
        empty=True,
        default=(),
        title="ruler of the baseline",
        help="Further sizes for the baseline alone, to read label multipliers against.",
        group=STUDY,
        reported=True,
    )
    # A cell has one budget, a study may have several.
    pretrain_steps: Sizes = Sizes(  # type: ignore[assignment]
        "--n-batches-pre-train",
        default=(Settings.pretrain_steps,),
        title="pretraining steps",
        help="Steps of pretraining; several are budgets to be compared.",
        group=TRAINING,
        reported=True,
        examples=("500,2000", "[500, 2000]"),
    )
    epochs: Sizes = Sizes(
        "--epochs",
        empty=True,
        default=(),
        title="pretraining epochs",
        help="Epochs of pretraining instead of steps: passes over the images.",
        group=TRAINING,
        examples=("50,200", "[50, 200]"),
    )
    primary_budget: OptionalCount = OptionalCount(
        "--primary-budget",
        default=None,
        none_words="the longest one",
        title="primary budget",
        help="Of several budgets, the one that the answer, its tests and a registration are about: "
        "a number of steps, or of epochs with --epochs. It changes no cell.",
        group=TRAINING,
    )
    # A cell has one size, a study may have several.
    finetune_samples_per_class: Sizes = Sizes(  # type: ignore[assignment]
        "--finetune-samples-per-class",
        default=(Settings.finetune_samples_per_class,),
        title="finetuning samples per class",
        help="Finetuning images of each class; several sizes are compared.",
        group=TRAINING,
        reported=True,
        examples=("16,256", "[16, 256]"),
    )
    readouts: Words = Words(
        "--readout",
        words=READOUTS,
        default=("linear",),
        title="readouts",
        help="What judges a pretrained backbone: a linear head on frozen features, the pretraining "
        "head itself, nearest neighbours among features, full finetuning of all weights.",
        group=TRAINING,
    )
    references: Switch = Switch(
        shorthands=(Shorthand("--references", True),),
        default=False,
        title="floor and ceiling",
        help="Add the floor (no pretraining) and the ceiling (all images, no augmentation) of "
        "every curve.",
        group=STUDY,
        reported=True,
    )
    seeds: Count = Count(
        "--seeds",
        default=8,
        title="seeds",
        help="Repetitions of it all.",
        group=STUDY,
        reported=True,
    )
    test_every: Count = Count(
        "--test-every",
        shorthands=(
            Shorthand(
                "--test-during-training",
                500,
                "Measure on the test set every 500 batches of both trainings.",
            ),
        ),
        least=0,
        zero_words="never",
        default=0,
        title="steps between tests in training",
        help="Measure on the test set every N batches of both trainings; 0 for never.",
        group=TRAINING,
        reported=True,
    )
    shift: Names = Names(
        "--shift",
        empty=True,
        metavar="CORRUPTIONS",
        default=(),
        title="corruptions of test images",
        help="Measure under these corruptions of the test images too, each at strengths 1, 2 and "
        "3: `standard`, or names, as in noise,rotation. See docs/shift.md.",
        group=TRAINING,
    )
    metric: Choice = Choice(
        "--metric",
        words=METRIC_NAMES,
        default="accuracy",
        title="metric",
        help="What verdicts, tables and figures are about; it changes no cell. A cell that was "
        "stored without what the metric needs is computed again.",
        group=STUDY,
    )
    tune: Names = Names(
        "--tune",
        empty=True,
        metavar="PARAMETERS",
        default=(),
        title="tuned",
        help="Hyper-parameters to search for every arm and size, as in lr,weight_decay,own: `own` "
        "are the arm's own; a range is 'lr=1e-3..1 log'. See docs/tuning.md.",
        group=TUNING,
    )
    trials: Count = Count(
        "--trials",
        least=2,
        most=10_000,
        default=16,
        title="trials",
        help="Trials of every arm and size, the first one under the study's own settings.",
        group=TUNING,
    )
    tuning_seeds: Count = Count(
        "--tuning-seeds",
        most=10_000,
        default=2,
        title="tuning seeds",
        help="Seeds of each trial, which are never reported.",
        group=TUNING,
    )
    tune_within_seeds: Switch = Switch(
        shorthands=(Shorthand("--tune-within-seeds", True),),
        default=False,
        title="tuned within every seed",
        help="Choose within every reported seed, whose intervals then hold the variance of tuning.",
        group=TUNING,
    )
    validation_samples_per_class: Count = Count(
        "--validation-samples-per-class",
        default=32,
        title="validation samples per class",
        help="Images of each class, none of them trained on, that trials are measured on; fewer "
        "where fewer are left.",
        group=TUNING,
    )
    recipe: Choice = Choice(
        "--recipe",
        words=tuple(RECIPES),
        default="handout",
        title="recipe",
        help="Defaults of what is learnt and how: the handout's, or what the field uses for small "
        "networks; see docs/recipes.md. Any option that is given wins.",
        group=RECIPE,
    )
    engine: Choice = Choice(
        "--engine",
        words=("auto", "packed", "reference"),
        default="auto",
        title="engine",
        help="Train cells together (packed) or one by one (reference).",
        group=MACHINE,
    )
    workers: OptionalCount = OptionalCount(
        "--workers",
        least=0,
        most=1024,
        default=None,
        none_words="one per core, or one per GPU",
        title="workers",
        help="Worker processes; 0 for none, all in this process.",
        group=MACHINE,
    )
    device: Name = Name(
        "--device",
        what="a torch device",
        metavar="DEVICE",
        default="auto",
        title="device",
        help="cpu, cuda, cuda:1, mps; several GPUs: cuda:0,cuda:1 or cuda:all; auto: a GPU if any.",
        group=MACHINE,
    )
    executor: OptionalName = OptionalName(
        "--executor",
        what="an executor",
        default=None,
        none_words="worker processes of this machine",
        title="executor",
        help="Where packs are trained: `augbench list executors` names them.",
        group=MACHINE,
    )
    cell_timeout: OptionalNumber = OptionalNumber(
        "--cell-timeout",
        default=None,
        none_words="many times what other cells took, and at least 5 minutes",
        title="time limit of a cell",
        help="Seconds that a cell may take; a cell that takes longer fails.",
        group=MACHINE,
    )
    ignore_claims: Switch = Switch(
        shorthands=(Shorthand("--ignore-claims", True),),
        default=False,
        title="claims of other runs are ignored",
        help="Train cells even if another run on the same store is training them.",
        group=MACHINE,
    )
    out: Folder = Folder(
        "-o",
        "--out",
        default=Path("augbench-results"),
        title="folder of the store",
        help="Folder of the store and the figures.",
        group=FILES,
    )
    keep_backbones: Switch = Switch(
        shorthands=(Shorthand("--keep-backbones", True),),
        default=False,
        title="backbones are kept",
        help="Keep pretrained backbones as files in the folder `backbones` of --out, and pretrain "
        "none that is there; needs the package safetensors.",
        group=FILES,
    )
    data_root: OptionalFolder = OptionalFolder(
        "--data-root",
        default=None,
        none_words="what AUGBENCH_DATA names",
        variable="AUGBENCH_DATA",
        title="folder of the data sets",
        help="Folder of the data sets, in torchvision's layout.",
        group=FILES,
    )
    download: Switch = Switch(
        shorthands=(Shorthand("--download", True),),
        default=False,
        title="download",
        help="Download a torchvision data set that is not there.",
        group=FILES,
    )
    plugins: Names = Names(
        "-p",
        "--plugin",
        empty=True,
        metavar="FILE_OR_MODULE",
        default=(),
        title="plugins",
        help="Load unpackaged plugins; `no:NAME` leaves an installed one out.",
        group=FILES,
    )
    strict_plugins: Switch = Switch(
        shorthands=(Shorthand("--strict-plugins", True),),
        default=False,
        variable="AUGBENCH_STRICT_PLUGINS",
        title="strict plugins",
        help="Stop at the first plugin that fails to load.",
        group=FILES,
    )

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
