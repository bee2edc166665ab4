"""Full specs for folders of photographs: their size, colour and split, by a look at their files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from augbench.backbones.convnet import SMALLEST
from augbench.datasets.contract import DatasetInfo
from augbench.datasets.naming import short_name
from augbench.datasets.survey import Survey
from augbench.errors import DatasetError, OptionError, UsageError
from augbench.executors.isolated import ChildEndedError, Isolated
from augbench.options import NO_DATASET, Options, named
from augbench.plugins.registry import Registry
from augbench.proposing.choice import Choice
from augbench.proposing.paths import OwnFolder, own_folder

__all__ = ["AUGMENTATIONS", "Folders", "completed_spec", "with_folders"]

AUGMENTATIONS = ("crop-flip", "mixup", "crop-flip+mixup")
"""What is compared on photographs unless their user says otherwise."""

_SIDE = 32
"""Pixels of a side: at 64 a study takes four times as long."""

_LARGER = 64

_SHARES = (0.2, 0.3, 0.4, 0.5)
"""Shares of each class to test on: the first that gives enough test images, or the last."""
_ENOUGH = 100
"""Test images that tell 5 points, the largest differences on photographs, from luck."""

_SIDES = ("pretrain_datasets", "finetune_datasets")


@dataclass(frozen=True)
class Folders:
    """Options whose data sets all have full specs, and what was found and chosen.

    `found` are lines on the folders that were named by their paths. `refused` are the errors about
    specs that are no data set.
    """

    options: Options
    found: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    refused: Mapping[str, UsageError] = field(default_factory=dict)


def with_folders(
    options: Options, registry: Registry, known: Callable[[str], DatasetInfo]
) -> Folders:
    """Give each data set that is named by its folder alone a spec that says everything.

    `known` returns the `DatasetInfo` of any other spec, whose images those of a folder must match.
    Raises `OptionError` where more data sets are given than a study has sides.
    """
    options, other = _with_dataset(options)
    own: dict[str, OwnFolder] = {}
    refused: dict[str, UsageError] = {}
    others: list[str] = []
    for option in _SIDES:
        for spec in getattr(options, option) if option != other else ():
            try:
                if found := own_folder(spec, option, registry):
                    own.setdefault(spec, found)
                elif spec != NO_DATASET:
                    others.append(spec)
            except UsageError as error:
                refused[spec] = error
    choices: list[Choice] = []
    if other and not own:
        others += [spec for spec in getattr(options, other) if spec != NO_DATASET]
    elif other:
        (named_side,) = set(_SIDES) - {other}
        options = options.but(**{other: getattr(options, named_side)})
        both = " and ".join(short_name(one.path) for one in own.values())
        choices.append(Choice(f"{both} on both sides", other))
    surveys: dict[str, Survey] = {}
    for spec, one in own.items():
        try:
            surveys[spec] = _surveyed(one.path)
        except UsageError as error:
            refused[spec] = error
    if not own:
        return Folders(options, (), (), refused)
    channels, side = _shape(list(surveys.values()), list(own.values()), _infos(others, known))
    full = {}
    for spec, survey in surveys.items():
        full[spec] = _full_spec(own[spec], survey, channels, side)
        option = own[spec].option
        if option not in options.given:
            own[spec] = replace(own[spec], option="dataset")
        choices += _choices(own[spec], survey, channels, side)
    augmentations, told = _compared(options, registry)
    if told:
        options = options.but(augmentations=augmentations)
        choices.append(Choice(told, "augmentations"))
    specs = {name: [full.get(spec, spec) for spec in getattr(options, name)] for name in _SIDES}
    lines = tuple(map(_found, surveys.values()))
    return Folders(options.but(**specs), lines, tuple(choices), refused)


def _compared(options: Options, registry: Registry) -> tuple[tuple[str, ...], str]:
    """What is compared on photographs, and what of it was chosen, in words; "" for nothing.

    `all` names every augmentation, and no pipeline of them: those that are proposed are added.
    """
    given = options.augmentations
    if options.base is not None:
        return given, ""
    if not {"augmentations", "arms"} & options.given:
        return AUGMENTATIONS, f"augmentations {', '.join(AUGMENTATIONS)}"
    known = {*registry.names("augmentation"), *given}
    added = tuple(one for one in AUGMENTATIONS if one not in known) if "all" in given else ()
    return (*given, *added), f"{', '.join(added)} beside all" if added else ""


def completed_spec(spec: str, registry: Registry) -> str:
    """The full spec of a folder that is named by its path; of any other data set, the spec."""
    own = own_folder(spec, "dataset", registry)
    if own is None:
        return spec
    survey = _surveyed(own.path)
    return _full_spec(own, survey, *_shape([survey], [own]))


def _with_dataset(options: Options) -> tuple[Options, str]:
    """The options with both sides, and the side that nobody named where only one was."""
    free = [side for side in _SIDES if side not in options.given]
    if options.dataset is not None:
        if not free:
            raise OptionError(
                f"give {named('dataset')}, or {' and '.join(map(named, _SIDES))}, not all three: "
                "a study has two sides",
                "dataset",
            )
        one = (options.dataset,)
        return options.but(dataset=None, **dict.fromkeys(free, one)), ""
    return options, free[0] if len(free) == 1 else ""


def _infos(specs: Sequence[str], known: Callable[[str], DatasetInfo]) -> Iterator[DatasetInfo]:
    for spec in specs:
        with suppress(UsageError):  # told where the pairs are made
            yield known(spec)


def _surveyed(path: str) -> Survey:
    """Look at a folder in a process of its own: its files may be anything."""
    try:
        with Isolated("augbench.datasets.survey:tell_survey", path) as child:
            (found,) = child.answers()
    except ChildEndedError as error:
        raise DatasetError(f"the folder {path} could not be looked at: {error}") from error
    assert isinstance(found, Survey)
    return found


def _shape(
    surveys: Sequence[Survey],
    own: Sequence[OwnFolder],
    others: Iterable[DatasetInfo] = (),
) -> tuple[int, int]:
    """The channels and the side of all folders' images: those of the other data sets, if any.

    What is said of one folder goes for the others.
    """
    shapes = {info.image_shape for info in others}
    if len(shapes) == 1:
        ((channels, height, width),) = shapes
        if height == width and channels in (1, 3):
            return channels, height
    side = max(SMALLEST, min((one.short_side for one in surveys), default=_SIDE))
    channels = 3 if any(one.coloured for one in surveys) else 1
    return _said("channels", own, channels), _said("size", own, min(_SIDE, side - side % 2))


def _said(parameter: str, own: Sequence[OwnFolder], chosen: int) -> int:
    """The value that a parameter has with some folder, where it is one; else what is chosen."""
    said = {one.parameters[parameter] for one in own if parameter in one.parameters}
    value = said.pop() if len(said) == 1 else ""
    return int(value) if value.strip().isdecimal() else chosen


def _full_spec(own: OwnFolder, survey: Survey, channels: int, side: int) -> str:
    """The spec of a folder that leaves nothing open."""
    words: dict[str, object] = {"size": side, "channels": channels}
    if not survey.split:
        words["test_fraction"] = _test_share(survey)
    words |= own.parameters
    # The classes may lie deeper than in the folder that was named.
    inner = os.path.relpath(survey.place, Path(own.path).expanduser())
    path = os.path.normpath(os.path.join(own.path, inner))
    return ",".join([f"folder:path={_quoted(path)}", *(f"{k}={v}" for k, v in words.items())])


def _quoted(path: str) -> str:
    """A path as a spec takes it: in quotes where a part of it could begin another parameter."""
    if not set(path) & set(",'\"") and path == path.strip():
        return path
    return "'" + path.replace("'", "''") + "'"


def _test_share(survey: Survey) -> float:
    """The share of each class to test on."""
    for share in _SHARES:
        if _held_out(survey, share) >= _ENOUGH:
            return share
    return _SHARES[-1]


def _held_out(survey: Survey, share: float) -> int:
    """The test images of all classes; see `augbench.datasets.layout.parts_of`."""
    return sum(min(max(round(count * share), 1), count - 1) for count in survey.train.values())


def _found(survey: Survey) -> str:
    """A line on what a folder holds."""
    counts = sorted(survey.train.values())
    each = f"{counts[0]:,}" if counts[0] == counts[-1] else f"{counts[0]:,} to {counts[-1]:,}"
    part = " to train on" if survey.split else ""
    others = ", ".join(f"{count} {kind}" for kind, count in survey.others.items())
    return (
        f"{survey.place}: {survey.images:,} images in {len(counts)} classes, "
        f"{each} in each{part}{f'; left out, being no images: {others}' if others else ''}"
    )


def _choices(own: OwnFolder, survey: Survey, channels: int, side: int) -> Iterator[Choice]:
    """What was chosen for a folder."""
    if not {"size", "channels"} <= own.parameters.keys():
        other = f"{own.path}:size={_LARGER if side == _SIDE else _SIDE}"
        colour = "colour" if channels == 3 else "grey"
        yield Choice(f"{side} × {side} pixels in {colour}", own.option, other)
    if not survey.split and "test_fraction" not in own.parameters:
        share = _test_share(survey)
        told = f"{100 * share:.0f} % of each class to test on"
        other = f"{own.path}:test_fraction={0.3 if share != 0.3 else 0.2}"
        yield Choice(told, own.option, other)
