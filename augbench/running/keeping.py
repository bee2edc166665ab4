"""The folder of pretrained backbones beside a store, and how large it gets. No torch here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from augbench.errors import StoreError, StudyError
from augbench.executors.isolated import ChildEndedError, Isolated
from augbench.options import Options, named
from augbench.plugins.components import Component
from augbench.plugins.guard import Guard, Place
from augbench.plugins.registry import Registry
from augbench.running.plan import Plan
from augbench.training.packs import units_of

__all__ = ["FOLDER", "kept_backbones", "kept_size", "tell_bytes"]

FOLDER = "backbones"

_Place = tuple[tuple[int, int, int], int]
"""The (C, H, W) of images, and the number of their classes."""


@dataclass(frozen=True)
class _Asked:
    plugins: tuple[str, ...]
    backbone: Component
    places: tuple[_Place, ...]


def kept_backbones(options: Options) -> Path | None:
    """The folder in which a run keeps backbones, made if it is not there; None if it keeps none.

    Raises `StoreError` if it cannot be made.
    """
    if not options.keep_backbones:
        return None
    folder = options.out.absolute() / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{named('keep_backbones', True)}: cannot make the folder {str(folder)!r} "
            f"({error.strerror or error}); choose another {named('out')}"
        ) from error
    return folder


def kept_size(plan: Plan) -> tuple[int, int]:
    """The number of backbones that a study keeps, and the bytes that they take, about.

    Only torch knows how large a backbone is: a process of its own is asked. Raises `StudyError` if
    the backbone ends that process.
    """
    of_one_seed = [cell for cell in plan.cells if cell.seed == plan.cells[0].seed]
    # One pretraining of several budgets leaves a backbone for each.
    files: dict[_Place, int] = {}
    for unit in units_of(of_one_seed):
        info = unit[0].pretrain
        place = (info.image_shape, len(info.classes))
        files[place] = files.get(place, 0) + len({cell.pretrain_steps for cell in unit})
    asked = _Asked(plan.registry.arguments, plan.study.backbone, tuple(files))
    try:
        with Isolated("augbench.running.keeping:tell_bytes", asked) as child:
            (sizes,) = child.answers()
    except ChildEndedError as error:
        label = plan.study.backbone.label
        raise StudyError(f"backbone {label!r} could not be made: {error}") from error
    seeds = plan.study.seeds
    size = sum(each * count for each, count in zip(sizes, files.values(), strict=True))
    return seeds * sum(files.values()), seeds * size


def tell_bytes(asked: _Asked, emit: Callable[[list[int]], None]) -> None:
    """Make the backbone for each kind of images, in the child process."""
    from augbench.batching.kept_backbones import file_bytes

    registry = Registry.load(asked.plugins)
    with Guard(Place(f"backbone {asked.backbone.label!r}")):
        create = registry.create(asked.backbone)
        made = [(create(shape[0], shape[1:]), classes) for shape, classes in asked.places]
        emit([file_bytes(backbone, classes) for backbone, classes in made])
