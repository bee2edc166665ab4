"""What a study asks for is checked before anything trains, against what the data sets hold."""

from __future__ import annotations

import math
from collections.abc import Mapping

from augbench.datasets.contract import DatasetInfo
from augbench.errors import StudyError
from augbench.protocol.batches import effective_batch_size
from augbench.protocol.study import Settings, Study

__all__ = ["check_study"]


def check_study(study: Study, sources: Mapping[str, int]) -> None:
    """Raise `StudyError`, one line, for a study that cannot be carried out.

    `sources` maps the label of each augmentation to how many images it takes.
    """
    _check_settings(study.settings)
    _at_least("--seeds", study.seeds, 1)
    _at_least("--test-every", study.test_every, 0)
    sizes = (*study.samples_per_class, *study.ruler_sizes)
    if not study.samples_per_class:
        raise StudyError("expected at least one size in --samples-per-class, got none")
    for size in sizes:
        _at_least("--samples-per-class", size, 1)
    if not study.augmentations:
        raise StudyError(
            "nothing to compare: name an augmentation with --aug, or keep the baseline"
        )
    for pretrain, finetune in study.pairs:
        if pretrain.image_shape != finetune.image_shape:
            raise StudyError(
                f"images of {pretrain.name!r} are {_shape(pretrain)}, those of "
                f"{finetune.name!r} are {_shape(finetune)} (channels × height × width); "
                "a backbone needs both of one shape: choose data sets that match"
            )
        _enough("--samples-per-class", max(sizes), pretrain)
        _enough("--finetune-samples-per-class", study.settings.finetune_samples_per_class, finetune)
        images = min(sizes) * len(pretrain.classes)
        batch = effective_batch_size(study.settings.batch_size, images)
        for label, count in sources.items():
            if batch < count:
                raise StudyError(
                    f"{label!r} makes each output of {count} different images of a batch, but a "
                    f"batch holds {batch}; use --batch-size {count} or more"
                )


def _check_settings(settings: Settings) -> None:
    _at_least("--batch-size", settings.batch_size, 1)
    _at_least("--n-batches-pre-train", settings.pretrain_steps, 1)
    _at_least("--n-batches-finetune", settings.finetune_steps, 1)
    _at_least("--finetune-samples-per-class", settings.finetune_samples_per_class, 1)
    _at_least("calibration samples per class", settings.calibration_samples_per_class, 0)
    _at_least("--root-seed", settings.root_seed, 0)
    if not (math.isfinite(settings.learning_rate) and settings.learning_rate > 0):
        raise StudyError(f"--lr: expected a number above 0, got {settings.learning_rate}")


def _at_least(option: str, value: int, least: int) -> None:
    if value < least:
        raise StudyError(f"{option}: expected {least} or more, got {value}")


def _enough(option: str, size: int, info: DatasetInfo) -> None:
    least = min(info.train_counts)
    if size > least:
        name = info.classes[info.train_counts.index(least)]
        raise StudyError(
            f"{option} {size} is more than {info.name!r} holds: class {name!r} has {least} "
            f"training images; the largest size that works is {least}"
        )


def _shape(info: DatasetInfo) -> str:
    return "×".join(map(str, info.image_shape))
