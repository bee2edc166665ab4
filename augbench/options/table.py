"""Every option of a study, declared once.

A row here is all that an option takes: the command line, `augbench.run` and `plan`, the stored
study, the cells' keys, the reports and every message read it. An option that changes what a cell
gives stands in `Settings` and says where it enters the key; what only plans or runs a study stands
in `Options`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
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
    Number,
    OptionalCount,
    OptionalFolder,
    OptionalName,
    OptionalNumber,
    Shares,
    Sizes,
    Switch,
)
from augbench.options.metric_names import METRIC_NAMES
from augbench.options.option import KeyEntry, Option, Shorthand, for_the_head, options_of
from augbench.options.problems import Origin
from augbench.options.recipes import RECIPES, check_recipe, filled_from_recipe
from augbench.options.spelling import named

__all__ = ["Options", "Settings", "grouped"]

STUDY = "What is compared"
TRAINING = "How it is trained and measured"
RECIPE = "How weights are learnt"
MACHINE = "Where it runs"
FILES = "Files and plugins"


@dataclass(frozen=True)
class Settings:
    """The hyper-parameters of the protocol; the defaults are the handout's."""

    _: KW_ONLY
    batch_size: Count = Count(
        "--batch-size",
        most=10**6,
        default=8,
        title="batch size",
        help="Images a step.",
        group=RECIPE,
        key=KeyEntry("pretraining", "batch_size", always=True),
    )
    pretrain_steps: Count = Count(
        "--n-batches-pre-train",
        default=2000,
        title="pretraining steps",
        help="Steps of pretraining.",
        group=TRAINING,
        key=KeyEntry("pretraining", "steps", always=True),
    )
    finetune_steps: Count = Count(
        "--n-batches-finetune",
        default=2000,
        title="finetuning steps",
        help="Steps of finetuning.",
        group=TRAINING,
        key=KeyEntry("finetuning", "steps", always=True),
    )
    learning_rate: Number = Number(
        "--lr",
        default=0.01,
        title="learning rate",
        help="Learning rate, the largest one of its schedule.",
        group=RECIPE,
        key=KeyEntry("pretraining", "learning_rate", always=True),
    )
    finetune_samples_per_class: Count = Count(
        "--finetune-samples-per-class",
        default=256,
        title="finetuning samples per class",
        help="Finetuning images of each class.",
        group=TRAINING,
        key=KeyEntry("finetuning", "samples_per_class", always=True),
    )
    calibration_samples_per_class: Count = Count(
        "--calibration-samples-per-class",
        least=0,
        default=16,
        title="calibration samples per class",
        help="Images of each class, none of them finetuned on, that fit the temperature; fewer "
        "where fewer are left.",
        group=TRAINING,
        key=KeyEntry("finetuning", "calibration_samples_per_class", always=True),
    )
    root_seed: Count = Count(
        "--root-seed",
        least=0,
        most=2**63 - 1,
        default=0,
        title="root seed",
        help="Root of all random streams.",
        group=TRAINING,
        key=KeyEntry("pretraining", "root_seed", always=True),
    )
    optimizer: Choice = Choice(
        "--optimizer",
        words=("sgd", "adamw"),
        default="sgd",
        title="optimizer",
        help="Stochastic gradient descent, or AdamW.",
        group=RECIPE,
        key=KeyEntry("pretraining", "optimizer"),
    )
    momentum: Number = Number(
        "--momentum",
        zero=True,
        below=1,
        default=0.0,
        title="momentum",
        help="Momentum of SGD.",
        group=RECIPE,
        key=KeyEntry("pretraining", "momentum"),
    )
    nesterov: Switch = Switch(
        shorthands=(
            Shorthand("--nesterov", True),
            Shorthand("--no-nesterov", False, "Momentum as it is, where a recipe says otherwise."),
        ),
        default=False,
        title="Nesterov",
        help="Nesterov's form of momentum.",
        group=RECIPE,
        key=KeyEntry("pretraining", "nesterov"),
    )
    weight_decay: Number = Number(
        "--weight-decay",
        zero=True,
        default=0.0,
        title="weight decay",
        help="Weight decay, of all parameters; AdamW's is decoupled from the gradient.",
        group=RECIPE,
        key=KeyEntry("pretraining", "weight_decay"),
    )
    schedule: Choice = Choice(
        "--schedule",
        words=("constant", "cosine", "step"),
        default="constant",
        title="schedule",
        help="Learning rate over the steps: constant, falling to 0 along a cosine, or multiplied "
        "by a factor at each milestone.",
        group=RECIPE,
        key=KeyEntry("pretraining", "schedule"),
    )
    milestones: Shares = Shares(
        "--milestones",
        default=(),
        title="milestones",
        help="Milestones of the schedule `step`, as shares of all steps.",
        group=RECIPE,
        key=KeyEntry("pretraining", "milestones"),
    )
    milestone_factor: Number = Number(
        "--milestone-factor",
        below=1,
        default=0.1,
        title="factor at a milestone",
        help="Factor of the learning rate at each milestone.",
        group=RECIPE,
        key=KeyEntry("pretraining", "milestone_factor"),
    )
    warmup: Number = Number(
        "--warmup",
        zero=True,
        below=1,
        default=0.0,
        title="warm-up",
        help="Share of the steps in which the learning rate first rises, in equal parts.",
        group=RECIPE,
        key=KeyEntry("pretraining", "warmup"),
    )
    label_smoothing: Number = Number(
        "--label-smoothing",
        zero=True,
        below=1,
        default=0.0,
        title="label smoothing",
        help="Share of every target that is spread over all classes.",
        group=RECIPE,
        key=KeyEntry("pretraining", "label_smoothing"),
    )
    clip_norm: Number = Number(
        "--clip-norm",
        zero=True,
        zero_words="none",
        default=0.0,
        title="gradient clipping",
        help="Largest norm of a step's gradient, all parameters together; 0 for no clipping.",
        group=RECIPE,
        key=KeyEntry("pretraining", "clip_norm"),
    )
    normalize: Choice = Choice(
        "--normalize",
        words=("none", "channels"),
        default="none",
        title="normalisation",
        help="Normalisation of images, wherever the network sees them: none, or by mean and "
        "deviation of each channel of the cell's own pretraining images.",
        group=RECIPE,
        key=KeyEntry("pretraining", "normalize"),
    )
    finetune_learning_rate: OptionalNumber = OptionalNumber(
        "--finetune-lr",
        default=None,
        none_words="as in pretraining, or 0.01 by another optimizer",
        title="finetuning learning rate",
        help="Learning rate of the head in finetuning.",
        group=RECIPE,
        key=KeyEntry("finetuning", "learning_rate"),
    )
    finetune_optimizer: Choice = for_the_head(optimizer)
    finetune_momentum: Number = for_the_head(momentum)
    finetune_nesterov: Switch = for_the_head(nesterov)
    finetune_weight_decay: Number = for_the_head(weight_decay)
    finetune_schedule: Choice = for_the_head(schedule)
    finetune_milestones: Shares = for_the_head(milestones)
    finetune_milestone_factor: Number = for_the_head(milestone_factor)
    finetune_warmup: Number = for_the_head(warmup)
    finetune_label_smoothing: Number = for_the_head(label_smoothing)
    finetune_clip_norm: Number = for_the_head(clip_norm)

    def __post_init__(self) -> None:
        check_recipe(self)

    @cached_property
    def key_parts(self) -> dict[str, dict[str, Any]]:
        """The settings that enter a cell's key, by the part of the training that they change."""
        parts: dict[str, dict[str, Any]] = {"pretraining": {}, "finetuning": {}}
        for name, option in options_of(type(self)).items():
            value = getattr(self, name)
            if option.key is not None and (option.key.always or value != option.default):
                parts[option.key.part][option.key.name] = value
        return parts

    def differing_from(self, other: Settings) -> dict[str, Any]:
        """The settings, by name, that are not those of `other`."""
        return {
            name: getattr(self, name)
            for name in options_of(type(self))
            if getattr(self, name) != getattr(other, name)
        }

    def to_json(self) -> dict[str, Any]:
        """The settings by name; one that was added later only where it is not at its default.

        A study is known by its description: a new option must not make another study of it.
        """
        return {
            name: getattr(self, name)
            for name, option in options_of(type(self)).items()
            if option.key is None or option.key.always or getattr(self, name) != option.default
        }


@filled_from_recipe
@dataclass(frozen=True)
class Options(Settings):
    """A user's study; the defaults are the handout's study, on the embedded data sets.

    Augmentations, data sets and the backbone are specs such as `mixup:alpha=0.4`. Raises
    `OptionError` for a value of the wrong type or out of range.
    """

    augmentations: Names = Names(
        "--aug",
        empty=True,
        default=("collage", "mixup"),
        title="augmentations",
        help="Augmentations: mixup:alpha=0.4, crop-flip+mixup in sequence, cutmix@0.5 with a "
        "probability, 'mixup|cutmix' one of several, mixup:alpha=0.1/0.3 a grid of arms; `all` for "
        "every installed one.",
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
    pretrain_datasets: Names = Names(
        "--pre-train-dataset",
        default=("glyph-digits",),
        title="pretraining data sets",
        help="Data sets to pretrain on; every pair is studied.",
        group=STUDY,
    )
    finetune_datasets: Names = Names(
        "--finetune-dataset",
        default=("glyph-letters",),
        title="finetuning data sets",
        help="Data sets to finetune the head on, and to measure.",
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
    metric: Choice = Choice(
        "--metric",
        words=METRIC_NAMES,
        default="accuracy",
        title="metric",
        help="What verdicts, tables and figures are about; it changes no cell. A cell that was "
        "stored without what the metric needs is computed again.",
        group=STUDY,
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
        """The hyper-parameters alone, which enter the keys of cells; with the longest budget."""
        given = {name: getattr(self, name) for name in options_of(Settings)}
        return Settings(**{**given, "pretrain_steps": max(self.pretrain_steps)})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs and self.pretrain_steps != Options.pretrain_steps:
            both = f"{named('epochs')} or {named('pretrain_steps')}"
            raise OptionError(
                f"give either {both}, not both: a study has one kind of budget", "epochs"
            )


def grouped(table: type) -> dict[str, dict[str, Option[Any, Any]]]:
    """The options of a table under the headings of the help, by their names in Python."""
    groups: dict[str, dict[str, Option[Any, Any]]] = {
        heading: {} for heading in (STUDY, TRAINING, RECIPE, MACHINE, FILES)
    }
    for name, option in options_of(table).items():
        groups.setdefault(option.group, {})[name] = option
    return groups
