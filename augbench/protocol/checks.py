"""Checks of a study against what its data sets hold, before anything trains.

Each option by itself was checked when it was given (`augbench.options`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from augbench.datasets.contract import DatasetInfo
from augbench.errors import StudyError
from augbench.options import MOST, Problems, named
from augbench.protocol.batches import effective_batch_size
from augbench.protocol.readouts import OWN_HEAD
from augbench.protocol.study import Arm, Study

__all__ = ["MOST_CELLS", "check_number", "check_study"]


MOST_CELLS = 2_000_000
"""The largest study that is planned; the fastest cells that there are would train for weeks."""


def check_study(study: Study, sources: Mapping[str, int], problems: Problems) -> None:
    """Note in `problems`, a line each, what keeps a study from being carried out.

    `sources` maps the label of each arm to how many images one of its outputs is made of. Nothing
    here takes longer for a larger study.
    """
    if not study.arms and not problems:
        with problems.of("augmentations"):
            raise StudyError(
                f"nothing to compare: name an augmentation with {named('augmentations')}, or keep "
                "the baseline"
            )
    for pretrain, finetune in study.pairs:
        with problems.of("finetune_datasets"):
            if pretrain.image_shape != finetune.image_shape:
                raise StudyError(
                    f"images of {pretrain.name!r} are {_shape(pretrain)}, those of "
                    f"{finetune.name!r} are {_shape(finetune)} (channels × height × width); "
                    "a backbone needs both of one shape: choose data sets that match"
                )
        for option in ("samples_per_class", "ruler_sizes"):
            with problems.of(option):
                _enough(option, max(getattr(study, option), default=0), pretrain)
        name = "finetune_samples_per_class"
        with problems.of(name):
            sizes = study.finetune_sizes or (study.settings.finetune_samples_per_class,)
            if study.judged_on_finetuning_data:
                _enough(name, max(sizes), finetune)
        with problems.of("arms"):
            for arm in study.arms if study.judged_on_finetuning_data else ():
                if arm.own_finetune_size:
                    own = arm.settings.finetune_samples_per_class
                    _enough(name, own, finetune, f"arm {arm.label!r}: ")
        with problems.of("readouts"):
            _served(study, pretrain, finetune)
        smallest = min((*study.samples_per_class, *study.ruler_sizes))
        with problems.of("batch_size"):
            for arm in study.arms:
                _whole_batch(arm, smallest, sources[arm.label], pretrain)
    with problems.of("epochs"):
        _ends(study)
    check_number(study, problems)


def check_number(study: Study, problems: Problems) -> None:
    """Note in `problems` a study of more cells than can be planned, before any is made."""
    with problems.of("seeds"):
        _countable(study)


def _served(study: Study, pretrain: DatasetInfo, finetune: DatasetInfo) -> None:
    """Refuse a pair of data sets that a readout cannot judge."""
    if OWN_HEAD.name in study.readouts and finetune.content_hash != pretrain.content_hash:
        raise StudyError(
            f"{named('readouts', OWN_HEAD.name)}: the pretraining head knows the classes of "
            f"{pretrain.name!r} alone, and cannot be judged on {finetune.name!r}; finetune on "
            f"{named('finetune_datasets', pretrain.spec or pretrain.name)}, or on none at all"
        )


def _enough(option: str, size: int, info: DatasetInfo, who: str = "") -> None:
    least = min(info.train_counts)
    if size > least:
        name = info.classes[info.train_counts.index(least)]
        raise StudyError(
            f"{who}{named(option, size)} is more than {info.name!r} holds: class {name!r} has "
            f"{least} training image{'s' * (least > 1)}; the largest size that works is {least}"
        )


def _whole_batch(arm: Arm, size: int, count: int, info: DatasetInfo) -> None:
    """Refuse an arm whose outputs are made of more images than the smallest set's batches hold."""
    classes, asked = len(info.classes), arm.settings.batch_size
    batch = effective_batch_size(asked, size * classes)
    if batch >= count:
        return
    needs = f"{arm.label!r} makes each output of {count} different images of a batch"
    remedies = [f"use {named('batch_size', count)} or more"] if asked < count else []
    if size * classes < count:  # then no larger batch helps
        smallest = math.ceil(count / classes)
        if smallest > min(info.train_counts):
            raise StudyError(
                f"{needs}, more than {info.name!r} has for any size: leave {arm.label!r} out"
            )
        needs += f", and {size} of each class of {info.name!r} are {size * classes}"
        remedies.append(f"begin at {named('samples_per_class', smallest)}")
    raise StudyError(f"{needs}, but a batch holds {batch}; {', and '.join(remedies)}")


def _ends(study: Study) -> None:
    """Refuse epochs that come to more steps than any training has."""
    images = max((sum(pretrain.train_counts) for pretrain, _ in study.pairs), default=0)
    if not study.references:
        sizes = (*study.samples_per_class, *study.ruler_sizes)
        images = max((max(sizes) * len(one.classes) for one, _ in study.pairs), default=0)
    for budget in study.all_budgets if images and study.arms else ():
        steps = max(budget.steps(images, arm.settings.batch_size) for arm in study.arms)
        if steps > MOST:
            raise StudyError(
                f"{named('epochs', budget.amount)} of {images:,} images are {steps:,} steps; "
                f"a training has at most {MOST:,}"
            )


def _countable(study: Study) -> None:
    """Refuse a study of more cells than can be planned, before any of them is made."""
    if study.size > MOST_CELLS:
        raise StudyError(
            f"{named('seeds', study.seeds)} × {len(study.pairs)} pairs of data sets × "
            f"{study.size // study.seeds // len(study.pairs):,} arms, sizes, budgets, readouts and "
            "trials are "
            f"{study.size:,} cells; a study has at most {MOST_CELLS:,}"
        )


def _shape(info: DatasetInfo) -> str:
    return "×".join(map(str, info.image_shape))
