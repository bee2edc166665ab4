"""The options under the heading `How it is tuned`."""

from __future__ import annotations

from dataclasses import KW_ONLY

from augbench.options.kinds import Count, Names, Switch
from augbench.options.option import Shorthand, option_table

__all__ = ["TUNING", "Tuned"]

TUNING = "How it is tuned"


@option_table
class Tuned:
    """Options of tuning: its parameters, and the number of trials."""

    _: KW_ONLY
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
