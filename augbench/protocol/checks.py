"""Checks of a study against what its data sets hold, before anything trains.

Each option by itself was checked when it was given (`augbench.options`).
"""

from __future__ import annotations

from collections.abc import Mapping

from augbench.datasets.contract import DatasetInfo
from augbench.errors import StudyError
from augbench.options import named
from augbench.protocol.batches import effective_batch_size
from augbench.protocol.study import Study

__all__ = ["check_study"]


def check_study(study: Study, sources: Mapping[str, int]) -> None:
    """Raise `StudyError`, one line, for a study that cannot be carried out.

    `sources` maps the label of each arm to how many images one of its outputs is made of.
    """
    if not study.arms:
        raise StudyError(
            f"nothing to compare: name an augmentation with {named('augmentations')}, or keep "
            "the baseline"
        )
    for pretrain, finetune in study.pairs:
        if pretrain.image_shape != finetune.image_shape:
            raise StudyError(
                f"images of {pretrain.name!r} are {_shape(pretrain)}, those of "
                f"{finetune.name!r} are {_shape(finetune)} (channels × height × width); "
                "a backbone needs both of one shape: choose data sets that match"
            )
        for option in ("samples_per_class", "ruler_sizes"):
            _enough(option, max(getattr(study, option), default=0), pretrain)
        _enough("finetune_samples_per_class", study.settings.finetune_samples_per_class, finetune)
        smallest = min((*study.samples_per_class, *study.ruler_sizes))
        for arm in study.arms:
            images = smallest * len(pretrain.classes)
            batch = effective_batch_size(arm.settings.batch_size, images)
            if batch < (count := sources[arm.label]):
                raise StudyError(
                    f"{arm.label!r} makes each output of {count} different images of a batch, but "
                    f"a batch holds {batch}; use {named('batch_size', count)} or more"
                )


def _enough(option: str, size: int, info: DatasetInfo) -> None:
    least = min(info.train_counts)
    if size > least:
        name = info.classes[info.train_counts.index(least)]
        raise StudyError(
            f"{named(option, size)} is more than {info.name!r} holds: class {name!r} has {least} "
            f"training images; the largest size that works is {least}"
        )


def _shape(info: DatasetInfo) -> str:
    return "×".join(map(str, info.image_shape))
