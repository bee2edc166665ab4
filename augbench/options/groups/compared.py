"""The options under the heading `What is compared`: arms, data sets, sizes, seeds, the metric."""

from __future__ import annotations

from dataclasses import KW_ONLY

from augbench.options.arms import Arms
from augbench.options.kinds import Choice, Count, Name, Names, OptionalName, Sizes, Switch
from augbench.options.metric_names import METRIC_NAMES
from augbench.options.option import Shorthand, option_table
from augbench.options.settings import Settings

__all__ = ["NO_DATASET", "STUDY", "Compared"]

STUDY = "What is compared"

NO_DATASET = "none"
"""In the place of a finetuning data set: nothing is finetuned."""


@option_table
class Compared(Settings):
    """Options of all that a study compares."""

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
    metric: Choice = Choice(
        "--metric",
        words=METRIC_NAMES,
        default="accuracy",
        title="metric",
        help="What verdicts, tables and figures are about; it changes no cell. A cell that was "
        "stored without what the metric needs is computed again.",
        group=STUDY,
    )
