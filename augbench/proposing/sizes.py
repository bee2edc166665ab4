"""Sizes that nobody gave, shrunk to the images that there are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from augbench.datasets.contract import DatasetInfo
from augbench.options import Options
from augbench.proposing.choice import Choice
from augbench.protocol.readouts import READOUTS

__all__ = ["with_sizes"]


def with_sizes(
    options: Options, pairs: Sequence[tuple[DatasetInfo, DatasetInfo]], most_sources: int = 1
) -> tuple[Options, tuple[Choice, ...]]:
    """The options with sizes that the smallest class of each side has images for.

    Both are powers of two. `most_sources` is the number of different images that an output of some
    arm is made of: fewer cannot be mixed. What was given stays, and is checked elsewhere.
    """
    choices = []
    if "samples_per_class" not in options.given and pairs:
        scarce = _scarce([one for one, _ in pairs])
        least = max(math.ceil(most_sources / len(one.classes)) for one, _ in pairs)
        most = _usable(options, scarce)
        there = [size for size in options.samples_per_class if size <= most]
        # Where none is enough for an arm, that is told of the arm.
        sizes = tuple(size for size in there if size >= least) or tuple(there)
        if sizes and sizes != options.samples_per_class:
            options = options.but(samples_per_class=sizes)
            listed = ", ".join(map(str, sizes))
            told = f"pretraining on {listed} a class: {_reason(scarce)}"
            choices.append(Choice(told, "samples_per_class"))
    fitted = any(READOUTS[name].on_finetuning_data for name in options.readouts)
    if "finetune_samples_per_class" not in options.given and pairs and fitted:
        scarce = _scarce([one for _, one in pairs])
        most = _usable(options, scarce)
        if max(options.finetune_samples_per_class) > most:
            size = 2 ** int(math.log2(most))
            options = options.but(finetune_samples_per_class=size)
            told = f"finetuning on {size} a class"
            choices.append(Choice(told, "finetune_samples_per_class"))
    return options, tuple(choices)


def _scarce(infos: Sequence[DatasetInfo]) -> DatasetInfo:
    """The data set with the smallest class."""
    return min(infos, key=lambda info: min(info.train_counts))


def _usable(options: Options, info: DatasetInfo) -> int:
    """The images of each class that one side may take."""
    least = min(info.train_counts)
    if options.tune:  # both sides and the calibration leave some to choose on
        return max(1, (least - options.calibration_samples_per_class) // 3)
    return least


def _reason(info: DatasetInfo) -> str:
    least, most = min(info.train_counts), max(info.train_counts)
    if least == most:
        return f"each has {least}"
    return f"{info.classes[info.train_counts.index(least)]!r} has {least}"
