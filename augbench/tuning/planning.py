"""Plan the search of a study: what is tuned, the values of each trial, its validation images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from augbench.datasets.contract import DatasetInfo
from augbench.errors import StudyError
from augbench.options import Options, Problems, Settings, named, options_of
from augbench.plugins.pipelines import Pipeline
from augbench.plugins.registry import Registry
from augbench.protocol.batches import effective_batch_size
from augbench.protocol.readouts import READOUTS
from augbench.protocol.streams import Role, stream
from augbench.protocol.study import Study
from augbench.tuning.arms import spaces_by_arm, stages_below, tuned_arm
from augbench.tuning.folds import fold_rounds, folds_of
from augbench.tuning.points import trial_values
from augbench.tuning.search import Search, tuning_seeds
from augbench.tuning.spaces import Spaces, parsed_spaces, part_of, refuse
from augbench.tuning.validation import validation_left

__all__ = ["check_spaces", "plan_search", "rebuilt_search"]


def check_spaces(options: Options, problems: Problems) -> None:
    """Note in `problems` each part of what is to be tuned that cannot be read, by itself."""
    for index, text in enumerate(options.tune):
        for part in text.split(","):
            with problems.of("tune", index):
                parsed_spaces(part)


def plan_search(
    study: Study,
    options: Options,
    registry: Registry,
    bases: Mapping[str, Pipeline | None],
    sources: Mapping[str, int],
    problems: Problems,
) -> Search | None:
    """Return the search that the options ask for; None where nothing is tuned.

    `bases` are the pipelines under the arms, by label, which are not tuned; `sources` are the
    images that one output of each arm is made of. What cannot be searched
    is noted in `problems`, a line each.
    """
    if not options.tune:
        return None
    spaces = None
    with problems.of("tune"):
        wanted = parsed_spaces(options.tune)
        _used(study, wanted)
        spaces = spaces_by_arm(study.arms, wanted, registry, bases=bases)
    validation = _validation(study, options, problems)
    with problems.of("samples_per_class"):
        _foldable(study, sources)
    if spaces is None:
        return None
    values = {label: trial_values(space, options.trials) for label, space in spaces.items()}
    return Search(
        arms={
            arm.label: tuple(
                tuned_arm(arm, own, registry, base=bases.get(arm.label))
                for own in values[arm.label]
            )
            for arm in study.arms
        },
        spaces=spaces,
        values={label: tuple(one) for label, one in values.items()},
        trials=options.trials,
        seeds=options.tuning_seeds,
        within=options.tune_within_seeds,
        outside=_outside(study),
        validation=validation,
        asked=options.validation_samples_per_class,
        stages_below={arm.label: stages_below(arm, bases.get(arm.label)) for arm in study.arms},
    )


def rebuilt_search(study: Study, told: Mapping[str, Any], registry: Registry) -> Search:
    """The search of a stored study, from its description's `tuning`."""
    values: dict[str, list[dict[str, float]]] = told["values"]
    below: dict[str, int] = told.get("stages_below", {})
    bases = {
        arm.label: Pipeline(arm.pipeline.stages[: below.get(arm.label, 0)]) for arm in study.arms
    }
    return Search(
        arms={
            arm.label: tuple(
                tuned_arm(arm, own, registry, base=bases[arm.label]) for own in values[arm.label]
            )
            for arm in study.arms
        },
        spaces={},
        values={label: tuple(one) for label, one in values.items()},
        trials=told["trials"],
        seeds=told["seeds"] or 0,
        within=told["seeds"] is None,
        outside=told["outside"],
        validation={(one, other, size): count for one, other, size, count in told["validation"]},
        asked=told.get("asked", 0),
        stages_below=below,
    )


def _used(study: Study, spaces: Spaces) -> None:
    """Refuse to tune a setting of a finetuning that no readout of the study does."""
    done = {READOUTS[name].settings for name in study.readouts}
    for one in spaces.shared:
        part = part_of(one.name)
        if part != "pretraining" and part not in done:
            needed = next(name for name, readout in READOUTS.items() if readout.settings == part)
            flag = options_of(Settings)[one.name].flag.removeprefix("--")
            refuse(
                f"{flag} is of the readout {needed!r}, which the study lacks; add it to "
                f"{named('readouts')}, or tune without"
            )


def _outside(study: Study) -> int:
    """The pretraining images of each class that validation images must not be among."""
    return max((*study.samples_per_class, *study.ruler_sizes))


def _validation(
    study: Study, options: Options, problems: Problems
) -> dict[tuple[str, str, int], int]:
    """The validation images of each class, for each pair and number of finetuning images."""
    found: dict[tuple[str, str, int], int] = {}
    if not any(READOUTS[name].on_finetuning_data for name in study.readouts):
        return found
    own = {arm.settings.finetune_samples_per_class for arm in study.arms if arm.own_finetune_size}
    sizes = {*(study.finetune_sizes or (study.settings.finetune_samples_per_class,)), *own}
    seeds = range(study.seeds) if options.tune_within_seeds else tuning_seeds(options.tuning_seeds)
    for pretrain, finetune in study.pairs:
        same = pretrain.content_hash == finetune.content_hash
        for size in sizes:
            if size > min(finetune.train_counts):
                continue  # which is another problem, and told elsewhere
            left = min(
                validation_left(
                    finetune.train_counts,
                    stream(
                        Role.FINETUNE_SUBSET,
                        root=study.settings.root_seed,
                        dataset=finetune.content_hash,
                        seed=seed,
                    ),
                    stream(
                        Role.SUBSET,
                        root=study.settings.root_seed,
                        dataset=pretrain.content_hash,
                        seed=seed,
                    ),
                    finetune=size,
                    calibration=study.settings.calibration_samples_per_class,
                    outside=_outside(study) if same else 0,
                )
                for seed in seeds
            )
            key = (pretrain.content_hash, finetune.content_hash, size)
            found[key] = min(left, options.validation_samples_per_class)
            with problems.of("tune"):
                if left < 1:
                    raise StudyError(_nothing_left(study, finetune, size, same=same))
    return found


def _nothing_left(study: Study, finetune: DatasetInfo, size: int, *, same: bool) -> str:
    """Say that D_F has no validation image, and what would leave one; `same` if it is D_P."""
    largest = _outside(study)
    option = "samples_per_class" if largest in study.samples_per_class else "ruler_sizes"
    held_out = study.settings.calibration_samples_per_class
    smaller = {
        "finetune_samples_per_class": (size, 1),
        "calibration_samples_per_class": (held_out, 0),
    }
    taken = ""
    if same and largest >= min(finetune.train_counts):
        smaller, taken = {option: (largest, 1)}, ", which takes all images of some class"
    elif same:
        smaller = {option: (largest, 1), **smaller}
    possible = [
        f"{named(name)} than {value}" for name, (value, least) in smaller.items() if value > least
    ]
    listed = ", ".join([*possible[:-1], *(f"or {one}" for one in possible[-1:])])
    remedy = f"give a smaller {listed.removeprefix('or ')}{taken}"
    if not possible:
        remedy = "add images to it"
    return (
        f"{named('tune')}: {finetune.name!r} has no image of some class left to choose by, beside "
        f"those of finetuning, calibration{' and pretraining' if same else ''}; {remedy}"
    )


def _foldable(study: Study, sources: Mapping[str, int]) -> None:
    """Refuse to tune the pretraining head where no size, or too small a one, is parted into folds.

    `sources` are the images that one output of each arm is made of.
    """
    heads = [name for name in study.readouts if not READOUTS[name].on_finetuning_data]
    parted = [s for s in (*study.samples_per_class, *study.ruler_sizes) if folds_of(s)]
    if not heads:
        return
    if not parted:
        raise StudyError(
            f"{named('tune')}: the readout {heads[0]!r} is chosen by folds of the pretraining "
            "images, and one image of each class cannot be parted; add a size of 2 or more to "
            f"{named('samples_per_class')}"
        )
    least = min(parted)
    left = least - len(fold_rounds(least, folds_of(least), 0))
    for pretrain, _ in study.pairs:
        images = left * len(pretrain.classes)
        for arm in study.arms:
            if effective_batch_size(arm.settings.batch_size, images) < sources[arm.label]:
                raise StudyError(
                    f"{named('tune')}: the readout {heads[0]!r} is chosen by folds of the "
                    f"pretraining images, and without one, {least} images of each class are "
                    f"{images} of {pretrain.name!r}, of which {arm.label!r} needs "
                    f"{sources[arm.label]} in a batch; leave {least} out of "
                    f"{named('samples_per_class')}, or {arm.label!r} of the study"
                )
