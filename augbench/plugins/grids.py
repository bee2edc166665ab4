"""Grids of one parameter: arms that differ in one number alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from augbench.plugins.pipelines import Pipeline, alike

__all__ = ["Grid", "grids"]

_FEWEST = 3


@dataclass(frozen=True)
class Grid:
    """Arms along one parameter, which `name` tells as `augmentation:parameter`.

    `points` are its values, ascending, each with the label of its arm.
    """

    name: str
    points: tuple[tuple[float, str], ...]


def grids(arms: Sequence[tuple[str, Pipeline]], *, fewest: int = _FEWEST) -> list[Grid]:
    """Find the grids of one numeric parameter among arms, of `fewest` values or more.

    `arms` are labels and pipelines. A grid holds arms of one structure that agree in all other
    parameters; an arm may be in several grids. Those of a whole table of two parameters are its
    rows and columns.
    """
    found: dict[tuple[object, ...], Grid] = {}
    for _, pipeline in arms:
        for position, component in enumerate(pipeline.components):
            for name, _ in component.parameters:
                points = _along(arms, pipeline, position, name)
                if len(points) >= fewest:
                    labels = tuple(label for _, label in points)
                    title = f"{component.name}:{name}"
                    found.setdefault((title, position, labels), Grid(title, tuple(points)))
    return list(found.values())


def _along(
    arms: Sequence[tuple[str, Pipeline]], pipeline: Pipeline, position: int, name: str
) -> list[tuple[float, str]]:
    """The values of one parameter among the arms that differ from a pipeline in it alone."""
    points: dict[float, str] = {}
    for label, other in arms:
        if not alike(pipeline, other):
            continue
        value = dict(other.components[position].parameters)[name]
        if _others(pipeline, position, name) != _others(other, position, name):
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return []
        points.setdefault(float(value), label)
    return sorted(points.items())


def _others(pipeline: Pipeline, position: int, name: str) -> list[object]:
    """All values of a pipeline's parameters but one."""
    return [
        (k, parameter, value)
        for k, component in enumerate(pipeline.components)
        for parameter, value in component.parameters
        if (k, parameter) != (position, name)
    ]
