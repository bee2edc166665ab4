"""Pipelines: augmentations in sequence, as a study describes them; no torch.

A spec is read in three steps: `expanded` writes out its grids, `parsed` finds stages and members,
and the registry resolves each member. The separators count outside quotes only:

    crop-flip+mixup:alpha=0.2     stages, applied one after the other
    cutmix@0.5                    a stage that is applied to each image with a probability
    mixup|cutmix:alpha=1@0.3      a stage that draws one of several augmentations for each image
    mixup:alpha=0.1/0.3/1         a grid: three pipelines
    blur:kernel='a+b/c'           a value that holds separators
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from augbench.errors import ParameterError
from augbench.plugins.components import Component
from augbench.plugins.parameters import split_outside_quotes, written
from augbench.text import shown

__all__ = ["Member", "Pipeline", "Stage", "alike", "expanded", "parsed", "shown_labels"]

_DIGITS = 12
"""Decimals of a probability: so a third is one number, whether it is written or left to share."""

_LARGEST_GRID = 10_000
"""Arms of one spec: each is made once in planning, and more are a slip."""

_HEAD = re.compile(r"(?:\s*[\w.-]+\s*:)*(?:\s*[^\W\d]\w*\s*=)?")
"""The text before the first value of a grid: names and colons, and the parameter's name."""


@dataclass(frozen=True)
class Member:
    """An augmentation of a stage, and the probability that an image is given to it."""

    component: Component
    probability: float


@dataclass(frozen=True)
class Stage:
    """One step of a pipeline: each image is given to one of its members, or passes as it is.

    The probabilities of the members sum to 1 at most.
    """

    members: tuple[Member, ...]

    @property
    def always(self) -> Component | None:
        """The one member that every image is given to; None where a draw decides."""
        first = self.members[0]
        return first.component if len(self.members) == 1 and first.probability == 1 else None

    @cached_property
    def label(self) -> str:
        """The stage as it is written in a spec."""
        even = round(1 / len(self.members), _DIGITS)
        told = any(member.probability != even for member in self.members)
        return "|".join(
            member.component.label + (f"@{member.probability!r}" if told else "")
            for member in self.members
        )


@dataclass(frozen=True)
class Pipeline:
    """Augmentations in sequence; without a stage, images pass as they are."""

    stages: tuple[Stage, ...]

    def __repr__(self) -> str:
        return f"<Pipeline {shown(self.label)}>"

    @classmethod
    def of(cls, component: Component) -> Pipeline:
        """The pipeline of one augmentation alone."""
        return cls((Stage((Member(component, 1.0),)),))

    def on(self, base: Pipeline | None) -> Pipeline:
        """The pipeline behind the stages of a base, without stages that do nothing."""
        stages = (*(base.stages if base else ()), *self.stages)
        effective = tuple(stage for stage in stages if not _does_nothing(stage))
        # A pipeline that does nothing keeps one stage, which says so.
        return Pipeline(effective or stages[:1])

    @cached_property
    def label(self) -> str:
        """The pipeline as it is written in a spec; the registry reads it back."""
        return "+".join(stage.label for stage in self.stages)

    @property
    def components(self) -> tuple[Component, ...]:
        """The augmentations in it, in order."""
        return tuple(member.component for stage in self.stages for member in stage.members)

    def identity(self) -> dict[str, Any]:
        """The part of a cell's key; of one augmentation alone, that augmentation's."""
        return self._identity

    @cached_property
    def _identity(self) -> dict[str, Any]:
        alone = self.stages[0].always if len(self.stages) == 1 else None
        if alone is not None:
            return alone.identity()
        return {
            "stages": [
                [[member.component.identity(), member.probability] for member in stage.members]
                for stage in self.stages
            ]
        }

    def to_json(self) -> list[list[dict[str, Any]]]:
        """All of it, for the store; `from_json` reads it back."""
        return [
            [
                {**member.component.to_json(), "probability": member.probability}
                for member in stage.members
            ]
            for stage in self.stages
        ]

    @classmethod
    def from_json(cls, stored: Sequence[Sequence[Mapping[str, Any]]]) -> Pipeline:
        """The pipeline that `to_json` wrote."""
        return cls(
            tuple(
                Stage(
                    tuple(Member(Component.from_json(one), one["probability"]) for one in members)
                )
                for members in stored
            )
        )


def _does_nothing(stage: Stage) -> bool:
    only = stage.always
    return only is not None and (only.distribution, only.name) == ("augbench", "none")


def expanded(spec: str) -> list[str]:
    """Write out the grids of a spec: `mixup:alpha=0.1/0.3` is two specs.

    Raises `ParameterError` for a grid of more than 10,000.
    """
    choices = []
    for part, separator in _parts(spec, ",+|@"):
        first, *others = split_outside_quotes(part, "/")
        head = _HEAD.match(first)
        assert head is not None  # it matches nothing as well
        values = [first, *(head[0] + other for other in others)]
        choices.append([value + separator for value in values])
    count = math.prod(map(len, choices))
    if count > _LARGEST_GRID:
        raise ParameterError(
            f"{spec[:60]!r} is a grid of {count:,} arms; expected at most {_LARGEST_GRID:,}: leave "
            "out some of its values"
        )
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def parsed(spec: str) -> list[list[tuple[str, float]]]:
    """The stages of a spec without grids: of each, its members' specs and probabilities.

    Members without a probability share equally what the others leave. Raises `ParameterError`.
    """
    return [_stage(text) for text in split_outside_quotes(spec, "+")]


def _stage(text: str) -> list[tuple[str, float]]:
    given: list[tuple[str, float | None]] = []
    for member in split_outside_quotes(text, "|"):
        name, *numbers = split_outside_quotes(member, "@")
        if not name.strip() or len(numbers) > 1:
            raise ParameterError(
                f"expected NAME[:PARAMETERS][@PROBABILITY] between the signs + and |, got "
                f"{member.strip()!r} (quote a value that holds + @ | or /: blur:mode='a+b')"
            )
        given.append((name.strip(), _probability(numbers[0], member) if numbers else None))
    told = sum(probability for _, probability in given if probability is not None)
    silent = sum(probability is None for _, probability in given)
    rest = round((1 - told) / silent, _DIGITS) if silent else 1.0
    if told > 1 + 1e-9 or rest <= 0:
        raise ParameterError(
            f"the probabilities of {text.strip()!r} leave nothing for a member, or sum to more "
            f"than 1 ({told:g}); lower them"
        )
    return [(name, rest if chance is None else chance) for name, chance in given]


def _probability(text: str, member: str) -> float:
    try:
        value = round(float(text), _DIGITS)
    except (ValueError, OverflowError):
        value = math.nan
    if not 0 < value <= 1:
        raise ParameterError(
            f"expected a probability above 0, up to 1, behind the @ of {member.strip()!r}, "
            f"got {text.strip()!r}"
        )
    return value


def _parts(text: str, separators: str) -> Iterable[tuple[str, str]]:
    """The parts of a text, each with the separator that follows it."""
    position = 0
    for part in split_outside_quotes(text, separators):
        position += len(part)
        yield part, text[position : position + 1]
        position += 1


def shown_labels(arms: Sequence[tuple[str, Pipeline]]) -> list[str]:
    """Labels in company: where arms differ in a parameter, each one's value, defaults included.

    `arms` are labels, as they are stored, and pipelines, on their bases. A label that its user
    chose stays.
    """
    own = [_labelled_part(label, pipeline) for label, pipeline in arms]
    shown = []
    for (label, _), part in zip(arms, own, strict=True):
        if part is None:
            shown.append(label)
            continue
        like = [other for other in own if other is not None and alike(part, other)]
        stages, position = [], 0
        for stage in part.stages:
            members = []
            for member in stage.members:
                values = [dict(other.components[position].parameters) for other in like]
                component = member.component
                varying = {
                    name
                    for name, value in component.parameters
                    if any(one[name] != value for one in values)
                }
                members.append(Member(_telling(component, varying), member.probability))
                position += 1
            stages.append(Stage(tuple(members)))
        shown.append(Pipeline(tuple(stages)).label)
    return shown


def _labelled_part(label: str, pipeline: Pipeline) -> Pipeline | None:
    """The last stages of a pipeline, those that its label tells; None if it tells none."""
    for first in range(len(pipeline.stages)):
        part = Pipeline(pipeline.stages[first:])
        if part.label == label:
            return part
    return None


def _telling(component: Component, names: set[str]) -> Component:
    """The component with a label that tells these parameters as well, defaults included."""
    if not names:
        return component
    qualified = f"{component.distribution}:{component.name}"
    head = qualified if f"{component.label}:".startswith(f"{qualified}:") else component.name
    told = ",".join(
        f"{name}={written(value)}"
        for name, value in component.parameters
        if name in names | component.varied
    )
    return replace(component, label=f"{head}:{told}")


def alike(one: Pipeline, other: Pipeline) -> bool:
    """True if two pipelines differ in values of parameters alone."""

    def structure(pipeline: Pipeline) -> list[list[tuple[Any, ...]]]:
        return [
            [
                (c.distribution, c.name, tuple(name for name, _ in c.parameters), m.probability)
                for m in stage.members
                for c in [m.component]
            ]
            for stage in pipeline.stages
        ]

    return structure(one) == structure(other)
