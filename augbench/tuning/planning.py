"""Plan the search of a study: what is tuned, the values of each trial, its validation images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from augbench.errors import StudyError
from augbench.options import Options, Problems, named
from augbench.plugins.pipelines import Pipeline
from augbench.plugins.registry import Registry
from augbench.protocol.readouts import READOUTS
from augbench.protocol.streams import Role, stream
from augbench.protocol.study import Study
from augbench.tuning.arms import spaces_by_arm, tuned_arm
from augbench.tuning.points import trial_values
from augbench.tuning.search import Search, tuning_seeds
from augbench.tuning.spaces import parsed_spaces
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
    problems: Problems,
) -> Search | None:
    """Return the search that the options ask for; None where nothing is tuned.

    `bases` are the pipelines under the arms, by label, which are not tuned. What cannot be searched
    is noted in `problems`, a line each.
    """
    if not options.tune:
        return None
    spaces = None
    with problems.of("tune"):
        spaces = spaces_by_arm(study.arms, parsed_spaces(options.tune), registry, bases=bases)
    validation = _validation(study, options, problems)
    with problems.of("samples_per_class"):
        _foldable(study)
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
    )


def rebuilt_search(
    study: Study,
    told: Mapping[str, Any],
    registry: Registry,
    bases: Mapping[str, Pipeline | None],
) -> Search:
    """The search of a stored study, from its description's `tuning`."""
    values: dict[str, list[dict[str, float]]] = told["values"]
    return Search(
        arms={
            arm.label: tuple(
                tuned_arm(arm, own, registry, base=bases.get(arm.label))
                for own in values[arm.label]
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
                    pretraining = " and pretraining" if same else ""
                    raise StudyError(
                        f"{named('tune')}: {finetune.name!r} has no image of some class left to "
                        f"choose by, beside those of finetuning, calibration{pretraining}; give a "
                        f"smaller {named('finetune_samples_per_class')} than {size}, or "
                        f"{named('calibration_samples_per_class')} than "
                        f"{study.settings.calibration_samples_per_class}"
                    )
    return found


def _foldable(study: Study) -> None:
    """Refuse to tune the pretraining head where no size can be parted into folds."""
    heads = [name for name in study.readouts if not READOUTS[name].on_finetuning_data]
    if heads and max((*study.samples_per_class, *study.ruler_sizes)) < 2:
        raise StudyError(
            f"{named('tune')}: the readout {heads[0]!r} is chosen by folds of the pretraining "
            "images, and one image of each class cannot be parted; add a size of 2 or more to "
            f"{named('samples_per_class')}"
        )
