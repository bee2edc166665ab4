"""Options that were given, and that others leave without effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from augbench.options import Options, named, options_of
from augbench.options.recipes import recipe_values
from augbench.protocol.readouts import READOUTS
from augbench.protocol.study import Cell

__all__ = ["unmeasured", "without_effect"]

_MEASUREMENTS = 10
"""Of the shortest training, where its user is told how to have some."""


def without_effect(options: Options) -> Iterator[str]:
    """A line for each option that was given, and that others leave without effect."""
    declared = options_of(Options)
    filled = recipe_values(options.recipe, vars(options))
    for without, names, remedy in (*_of_a_kind(options), *_of_readouts(options)):
        for name in names if without else ():
            value = getattr(options, name)
            usual = declared[name].default
            if name in options.given and value not in (usual, filled.get(name, usual)):
                told = named(name, value is True or None)
                yield f"{told} has no effect: {remedy}"


def _of_a_kind(options: Options) -> Iterator[tuple[bool, tuple[str, ...], str]]:
    """A condition, the options that have no effect under it, and why."""
    yield (
        not options.tune,
        ("trials", "tuning_seeds", "tune_within_seeds", "validation_samples_per_class"),
        f"nothing is tuned without {named('tune')}",
    )
    yield (
        options.tune_within_seeds and bool(options.tune),
        ("tuning_seeds",),
        f"by {named('tune_within_seeds', True)}, the seeds of the report choose",
    )
    yield (
        options.baseline is None,
        ("ruler_sizes", "references"),
        "the study has no baseline, which it is of",
    )
    yield (
        options.executor is not None,
        ("workers",),
        f"{named('executor', options.executor)} has workers of its own; `augbench list executors` "
        "shows its parameters",
    )
    yield (
        options.executor is None and options.workers == 0,
        ("cell_timeout",),
        f"{named('workers', 0)} trains in this process, which keeps no limit of time",
    )


def _of_readouts(options: Options) -> Iterator[tuple[bool, tuple[str, ...], str]]:
    """The settings of each readout that the study lacks."""
    lacking = [one for one in READOUTS.values() if one.name not in options.readouts]
    own = {
        name: option.key
        for name, option in options_of(Options).items()
        if option.key is not None and option.key.part != "pretraining"
    }
    shared = ("finetune_samples_per_class", "calibration_samples_per_class")
    for one in lacking:
        names = tuple(n for n, key in own.items() if key.part == one.settings and n not in shared)
        yield True, names, f"it is of {named('readouts', one.name)}, which the study lacks"
    judged = [READOUTS[name] for name in options.readouts]
    yield (
        not any(one.on_finetuning_data for one in judged),
        ("finetune_samples_per_class",),
        "nothing is finetuned",
    )
    yield (
        not any(one.calibrated for one in judged),
        ("calibration_samples_per_class",),
        "no readout of the study is calibrated",
    )


def unmeasured(options: Options, cells: Iterable[Cell]) -> Iterator[str]:
    """A line where a test set that is to be measured during training is measured in none."""
    every = options.test_every
    if not every:
        return
    # A seed is as the other.
    some = [cell for cell in cells if cell.trial is None and cell.seed == 0]
    steps = {
        "pretraining": max((cell.pretrain_steps for cell in some), default=0),
        "finetuning": max((cell.judged_by.steps(cell.settings) for cell in some), default=0),
    }
    lengths = {what: count for what, count in steps.items() if count}
    short = {what: count for what, count in lengths.items() if count < every}
    if short:
        told = " and ".join(f"{what} takes {count:,}" for what, count in short.items())
        which = "nothing is" if len(short) == len(lengths) else f"{' and '.join(short)} is not"
        enough = max(1, min(short.values()) // _MEASUREMENTS)
        yield (
            f"tests during training come every {every:,} steps, and {told}: {which} measured; "
            f"{named('test_every', enough)} measures {_MEASUREMENTS} times"
        )
