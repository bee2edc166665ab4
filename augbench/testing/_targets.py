"""The component to check: a spec that the registry resolves, or a class, function or object."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from augbench.augmentations.search_space import SearchRange, search_space_of
from augbench.errors import AugbenchError, ContractError, ParameterError, UnknownNameError
from augbench.plugins.components import CONSTRUCTED, Component, Kind, ParameterValue
from augbench.plugins.discovery import Plugin
from augbench.plugins.isolation import PLUGIN_FAILURES, describe
from augbench.plugins.loading import Entry
from augbench.plugins.parameters import Parameter, format_value
from augbench.plugins.registry import Registry
from augbench.testing._checks import Check, SkippedError, ViolationError

__all__ = [
    "Target",
    "check_parameters",
    "check_search_space",
    "check_source",
    "component_checks",
    "target_of",
]


@dataclass(frozen=True)
class Target:
    """A component to check, as the registry sees it.

    `spec` is its name without parameters; `component` is None where it could not be resolved, and
    `problem` then says why. `given` is an object that was given as it is.
    """

    kind: Kind
    name: str
    spec: str
    registry: Registry
    parameters: tuple[Parameter, ...] = ()
    component: Component | None = None
    given: Any = None
    problem: str = ""

    def create(self) -> Any:
        """The augmentation, or the bound factory; raises `ViolationError` if there is none."""
        if self.given is not None:
            return self.given
        if self.component is None:
            raise ViolationError(self.problem)
        return self.registry.create(self.component)


def target_of(
    kind: Kind,
    target: Any,
    registry: Registry | None,
    harness: Mapping[str, ParameterValue] | None = None,
) -> Target:
    """Find what `target` means; raises `UsageError` for a spec that means nothing.

    `harness` are parameters that no spec sets, such as a corruption's strength.
    """
    if isinstance(target, str):
        registry = registry or Registry.load()
        info = registry.info(kind, target)
        name, spec, given = target, info.qualified_name, None
    else:
        # A callable object of a kind whose factories are functions is itself the factory.
        made = kind == "augmentation" and not isinstance(target, (type, FunctionType))
        factory = type(target) if made else target
        name = getattr(factory, "__name__", type(factory).__name__)
        registry = _alone(kind, name, factory)
        (info,) = registry.describe(kind)
        spec, given = info.qualified_name, target if made else None
    found = Target(kind, name, spec, registry, info.parameters, given=given)
    text = target if isinstance(target, str) else spec
    if given is not None:
        return found
    try:
        component = _resolved(registry, kind, text, harness)
    except (UnknownNameError, ParameterError) as error:
        # Parameters that the user gave are the user's; an augmentation has defaults for them all.
        own = kind in CONSTRUCTED and text in (info.name, info.qualified_name)
        if isinstance(target, str) and not own:
            raise
        return Target(kind, name, spec, registry, info.parameters, problem=str(error))
    except AugbenchError as error:
        return Target(kind, name, spec, registry, info.parameters, problem=str(error))
    except PLUGIN_FAILURES as error:
        return Target(kind, name, spec, registry, info.parameters, problem=describe(error))
    return Target(kind, name, spec, registry, info.parameters, component)


def _alone(kind: Kind, name: str, factory: Any) -> Registry:
    """Return a registry that holds this factory and nothing else."""
    module = getattr(factory, "__module__", None) or type(factory).__module__
    plugin = Plugin("checked", "checked", "", module, lambda: None, module=module)
    written = re.sub(r"[^A-Za-z0-9_-]", "", name) or "it"
    return Registry([plugin], [Entry(kind, written, factory, plugin)])


def _resolved(
    registry: Registry,
    kind: Kind,
    spec: str,
    harness: Mapping[str, ParameterValue] | None = None,
) -> Component:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a missing source is a check of its own
        return registry.resolve(kind, spec, harness)


def check_parameters(target: Target) -> None:
    """Check that parameters come back from a study's spec as they went in."""
    made = target.create()
    if target.kind in CONSTRUCTED:
        _kept_as_attributes(made, target)
    values = _values(target, made)
    if not values:
        return  # nothing to set
    try:
        _round_trip(target, values)
    except ParameterError as error:
        raise ViolationError(f"its own values cannot be written in a study: {error}") from None
    for parameter in target.parameters:
        other = _another(parameter, values[parameter.name])
        if other is None:
            continue
        try:
            _round_trip(target, {**values, parameter.name: other})
        except ParameterError:
            continue  # it is free to refuse a value


def check_search_space(target: Target) -> None:
    """Check that both ends and the middle of each range of a `search_space` can be constructed.

    One parameter is moved at a time, the others stay as they are.
    """
    made = target.create()
    try:
        space = search_space_of(made)
    except ContractError as error:
        raise ViolationError(str(error), target.name) from None
    values = _values(target, made)
    for name, found in space.items():
        for value in (found.low, _middle(found), found.high):
            given = int(value) if found.whole else float(value)
            try:
                _round_trip(target, {**values, name: given})
            except ParameterError as error:
                raise ViolationError(
                    f"`search_space` tunes {name} from {found.low} to {found.high}, but {given} is "
                    f"refused: {error}",
                    target.name,
                ) from None


def _middle(found: SearchRange) -> float:
    return (found.low * found.high) ** 0.5 if found.log else (found.low + found.high) / 2


def component_checks(after: str) -> tuple[Check[Any], ...]:
    """Return the checks of a factory's parameters and source; they skip where `after` failed.

    A subject of these checks has its component as `target`.
    """

    def of_resolved(check: Callable[[Target], None]) -> Callable[[Any], None]:
        def run(subject: Any) -> None:
            if subject.target.component is None:
                raise SkippedError(f"it could not be resolved: see {after!r}")
            check(subject.target)

        return run

    return (
        Check(
            "parameters", "its parameters round-trip through a study", of_resolved(check_parameters)
        ),
        Check("source", "its source code is found for the cell's key", of_resolved(check_source)),
    )


def _values(target: Target, made: Any) -> dict[str, ParameterValue]:
    if target.component is not None:
        return dict(target.component.parameters)
    if target.given is not None and target.kind == "augmentation":
        return {parameter.name: getattr(made, parameter.name) for parameter in target.parameters}
    return {parameter.name: parameter.default for parameter in target.parameters}


def _kept_as_attributes(made: Any, target: Target) -> None:
    for parameter in target.parameters:
        if not hasattr(made, parameter.name):
            raise ViolationError(
                f"parameter {parameter.name!r} of the constructor is not kept as an attribute of "
                "that name",
                target.name,
            )


def _another(parameter: Parameter, value: ParameterValue) -> ParameterValue:
    """Return a value close to the present one, or another choice; None where there is none."""
    if parameter.choices:
        return next((choice for choice in parameter.choices if choice != value), None)
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return value / 2 if value else 0.5
    return value + 1 if isinstance(value, int) else None


def _round_trip(target: Target, values: dict[str, ParameterValue]) -> None:
    """Write the values as a spec, read it, make the component, and read its label."""
    text = ",".join(f"{name}={format_value(value)}" for name, value in values.items())
    spec = f"{target.spec}:{text}"
    component = _resolved(target.registry, target.kind, spec)
    if dict(component.parameters) != values:
        raise ViolationError(f"read back as {dict(component.parameters)}", spec)
    if _resolved(target.registry, target.kind, component.label) != component:
        raise ViolationError(f"its label {component.label!r} means another component", spec)
    made = target.registry.create(component)
    if target.kind not in CONSTRUCTED:
        return
    for name, value in values.items():
        kept = getattr(made, name, None)
        if kept != value:
            raise ViolationError(
                f"the study says {name} = {value!r}, the object has {name} = {kept!r}", spec
            )


def check_source(target: Target) -> None:
    """Check that the source code is found, so that an edit computes results anew."""
    if target.component is None and target.given is None:
        raise SkippedError("it could not be made: see 'declarations'")
    component = target.component
    if component is None:
        spec = target.spec
        values = _values(target, target.given)
        if values:
            spec += ":" + ",".join(f"{name}={format_value(v)}" for name, v in values.items())
        component = _resolved(target.registry, target.kind, spec)
    if not component.source_hash:
        raise ViolationError(
            "its source code cannot be read: stored results would not be computed anew after an "
            "edit; define it in a module or file",
            target.name,
        )
