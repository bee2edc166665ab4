"""Arms and their trials: the search space of an arm, and the arm with a trial's values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from augbench.augmentations.search_space import search_space_of
from augbench.errors import OptionError, ParameterError, StudyError, UsageError
from augbench.options import Settings, named, options_of
from augbench.options.option import short
from augbench.plugins.components import Component
from augbench.plugins.parameters import Parameter, written
from augbench.plugins.pipelines import Member, Pipeline, Stage
from augbench.plugins.registry import Registry
from augbench.plugins.suggestion import suggestion
from augbench.protocol.study import Arm
from augbench.tuning.spaces import Dimension, Spaces, refuse, shared_dimensions

__all__ = ["spaces_by_arm", "spaces_of", "stages_below", "tuned_arm"]


@dataclass(frozen=True)
class _Own:
    """One numeric parameter of an arm's own stages; `position` counts the pipeline's components."""

    position: int
    occurrence: int
    component: Component
    parameter: Parameter

    @property
    def name(self) -> str:
        """`mixup.alpha`; of a second mixup in the arm, `mixup.alpha#2`."""
        return self.every if self.occurrence == 1 else f"{self.every}#{self.occurrence}"

    @property
    def every(self) -> str:
        """The name that means every occurrence."""
        return f"{self.component.name}.{self.parameter.name}"

    @property
    def whole(self) -> bool:
        """True for a parameter that takes no fractions."""
        return "float" not in self.parameter.type.split(" | ")


def spaces_by_arm(
    arms: Sequence[Arm],
    spaces: Spaces,
    registry: Registry,
    *,
    bases: Mapping[str, Pipeline | None] | None = None,
) -> dict[str, tuple[Dimension, ...]]:
    """The search space of every arm, by label: `spaces_of` each.

    `bases` are the pipelines under the arms, by label. Raises `OptionError` for a parameter of an
    augmentation that no arm has, and for `own` where no arm declares a search space.
    """
    under = dict(bases or {})
    known: dict[str, None] = {}
    for arm in arms:
        for one in _own(arm, under.get(arm.label), registry):
            known |= {one.every: None, one.name: None}
    for wanted in spaces.parameters:
        if wanted.name not in known:
            there = f"there are: {', '.join(sorted(known))}" if known else "no arm has any"
            refuse(
                f"no arm has a numeric parameter {short(wanted.name)}"
                f"{suggestion(wanted.name, known)} ({there})"
            )
    found = {arm.label: spaces_of(arm, spaces, registry, base=under.get(arm.label)) for arm in arms}
    if spaces.own and not any("." in one.name for space in found.values() for one in space):
        refuse(
            "'own' finds nothing, since no arm's augmentations declare a search_space; name a "
            "parameter and its range, as in mixup.alpha=0.05..2"
        )
    return found


def spaces_of(
    arm: Arm, spaces: Spaces, registry: Registry, *, base: Pipeline | None = None
) -> tuple[Dimension, ...]:
    """The search space of one arm: shared settings, then its own parameters, sorted by name.

    An own parameter is called `mixup.alpha`, that of a second mixup in the arm `mixup.alpha#2`.
    The stages of `base`, with which the arm's pipeline begins, are common to all arms and not
    tuned. What is named and what the arm does not have is left out: see `spaces_by_arm`.

    Raises `StudyError` for a setting that the arm cannot have, such as momentum with AdamW, and
    `OptionError` for a parameter without a range and for a bound that its augmentation refuses.
    """
    own = [] if not spaces.wants_parameters else _own_dimensions(arm, spaces, registry, base)
    dimensions = (
        *shared_dimensions(spaces, arm.settings),
        *sorted(own, key=lambda dimension: dimension.name),
    )
    for one in dimensions:
        for value in (one.low, one.high):
            try:
                tuned_arm(arm, {one.name: value}, registry, base=base)
            except ParameterError as error:
                refuse(f"{one.name}={one.range}: {error}")
            except OptionError as error:
                raise StudyError(
                    f"{named('tune')}: arm {arm.label!r}: {error}; or tune no {one.label}"
                ) from None
    return dimensions


def tuned_arm(
    arm: Arm, values: Mapping[str, float], registry: Registry, *, base: Pipeline | None = None
) -> Arm:
    """The arm with these settings and own parameters, by their dimensions' names.

    It keeps its label. A value that is the arm's already changes nothing: the cells have the same
    keys. Without a finetuning rate of its own, the head learns at the tuned rate, as under `--lr`.

    Raises `UsageError` for a name that the arm does not have; `OptionError` or `ParameterError` for
    a value that its settings or its augmentation refuse.
    """
    options = options_of(Settings)
    settings: dict[str, Any] = {name: value for name, value in values.items() if name in options}
    own = {name: value for name, value in values.items() if name not in options}
    components = list(arm.pipeline.components)
    there = {one.name: one for one in _own(arm, base, registry)} if own else {}
    for name, value in own.items():
        if name not in there:
            raise UsageError(f"arm {arm.label!r} has no numeric parameter {name!r}")
        one = there[name]
        components[one.position] = _with(components[one.position], one, value, registry)
    return replace(
        arm,
        settings=replace(arm.settings, **settings) if settings else arm.settings,
        pipeline=_rebuilt(arm.pipeline, components) if own else arm.pipeline,
    )


def _own(arm: Arm, base: Pipeline | None, registry: Registry) -> Iterator[_Own]:
    """The numeric parameters of the stages that stand on the base."""
    common = stages_below(arm, base)
    first = len(Pipeline(arm.pipeline.stages[:common]).components)
    met: Counter[str] = Counter()
    for position, component in enumerate(arm.pipeline.components):
        if position < first:
            continue
        met[component.name] += 1
        qualified = f"{component.distribution}:{component.name}"
        for parameter in registry.info("augmentation", qualified).parameters:
            if {"int", "float"} & set(parameter.type.split(" | ")):
                yield _Own(position, met[component.name], component, parameter)


def stages_below(arm: Arm, base: Pipeline | None) -> int:
    """The number of the arm's stages that are its base's, which are not tuned."""
    stages = tuple(
        stage
        for stage in (base.stages if base else ())
        # As in `Pipeline.on`: what does nothing is left out.
        if stage.always is None
        or (stage.always.distribution, stage.always.name) != ("augbench", "none")
    )
    if arm.pipeline.stages[: len(stages)] != stages:
        raise ValueError(f"arm {arm.label!r} does not stand on the base {Pipeline(stages).label!r}")
    return len(stages)


def _own_dimensions(
    arm: Arm, spaces: Spaces, registry: Registry, base: Pipeline | None
) -> Iterator[Dimension]:
    wanted = {one.name: one for one in spaces.parameters}
    for own in _own(arm, base, registry):
        # The name of one occurrence wins over the name of them all.
        asked = wanted.get(own.name) or wanted.get(own.every)
        if asked is not None and asked.bounds is not None:
            low, high = asked.bounds
            if own.whole and not (low.is_integer() and high.is_integer()):
                refuse(f"expected whole numbers for {own.name}, got {low:g}..{high:g}")
            yield Dimension(own.name, low, high, asked.log, own.whole)
        elif asked is not None or spaces.own:
            declared = search_space_of(registry.create(own.component)).get(own.parameter.name)
            if declared is not None:
                yield Dimension(own.name, declared.low, declared.high, declared.log, declared.whole)
            elif asked is not None:
                refuse(
                    f"{own.component.name} declares no range for {own.parameter.name}; give one, "
                    f"as in {own.every}=0.1..1"
                )


def _with(component: Component, own: _Own, value: float, registry: Registry) -> Component:
    """The component with another value of one parameter; itself, if it has that value already."""
    name = own.parameter.name
    plain = int(value) if own.whole else float(value)
    if dict(component.parameters)[name] == plain:
        return component
    told = {key: one for key, one in component.parameters if key in component.varied}
    text = ",".join(f"{key}={written(one)}" for key, one in {**told, name: plain}.items())
    return registry.resolve("augmentation", f"{component.distribution}:{component.name}:{text}")


def _rebuilt(pipeline: Pipeline, components: Sequence[Component]) -> Pipeline:
    """The pipeline with these components in the places of its own."""
    following = iter(components)
    return Pipeline(
        tuple(
            Stage(tuple(Member(next(following), member.probability) for member in stage.members))
            for stage in pipeline.stages
        )
    )
