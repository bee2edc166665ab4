"""The options under `How it is trained and measured` that are not one cell's hyper-parameters.

Those stand in `settings.py`, as do all of `How weights are learnt` but the recipe's name.
"""

from __future__ import annotations

from dataclasses import KW_ONLY

from augbench.options.kinds import Choice, Count, Names, OptionalCount, Sizes, Words
from augbench.options.option import Shorthand, option_table
from augbench.options.recipes import RECIPES
from augbench.options.settings import RECIPE, TRAINING, Settings

__all__ = ["NO_SHIFT", "READOUTS", "Trained"]

READOUTS = ("linear", "own-head", "knn", "full")
"""The names of the readouts; `augbench.protocol.readouts` says what each is."""

NO_SHIFT = "none"
"""In the place of corruptions: nothing is measured under shift."""


@option_table
class Trained(Settings):
    """Budgets, readouts, tests and the recipe of a study."""

    _: KW_ONLY
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
    recipe: Choice = Choice(
        "--recipe",
        words=tuple(RECIPES),
        default="handout",
        title="recipe",
        help="Defaults of what is learnt and how: the handout's, or what the field uses for small "
        "networks; see docs/recipes.md. Any option that is given wins.",
        group=RECIPE,
    )
