"""Named recipes: sets of defaults for how weights are learnt, and which values go together.

A recipe's name enters no key, but its values do: a cell does not know whether its user named a
recipe or gave each value.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from augbench.errors import OptionError
from augbench.options.option import PREFIXES
from augbench.options.spelling import named

if TYPE_CHECKING:
    from augbench.options.settings import Settings

__all__ = ["RECIPES", "SET_BY_RECIPES", "check_recipe", "filled_from_recipe", "recipe_values"]

RECIPES: Mapping[str, Mapping[str, Any]] = {
    # The defaults of the table.
    "handout": {},
    # docs/recipes.md says where these numbers come from.
    "standard": {
        "batch_size": 32,
        "learning_rate": 0.02,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 5e-4,
        "schedule": "cosine",
        "warmup": 0.05,
        "normalize": "channels",
        "finetune_learning_rate": 0.01,
        "finetune_momentum": 0.9,
        "finetune_schedule": "cosine",
        # All weights are finetuned as they are pretrained.
        "full_momentum": 0.9,
        "full_nesterov": True,
        "full_weight_decay": 5e-4,
        "full_schedule": "cosine",
        "full_warmup": 0.05,
    },
}
"""The values that each recipe sets, by the options' names in Python."""

_BY_ADAMW: Mapping[str, Mapping[str, Any]] = {
    # A step of AdamW is as long as its rate, however small the gradient: what SGD is given is far
    # too high for a network, and too low for a head alone. docs/recipes.md has the measurements.
    "standard": {"learning_rate": 0.001, "finetune_learning_rate": 0.03},
}
"""The values that recipes set instead, where AdamW trains the backbone, or the head."""

SET_BY_RECIPES = frozenset(name for recipe in RECIPES.values() for name in recipe)

_Table = TypeVar("_Table")


def filled_from_recipe(table: type[_Table]) -> type[_Table]:
    """Let a dataclass of options take from its `recipe` what its constructor is not given."""
    plain = table.__init__

    @wraps(plain)
    def fill(self: Any, *args: Any, **given: Any) -> None:
        recipe = given.get("recipe")
        known = recipe_values(recipe, given) if isinstance(recipe, str) else {}
        plain(self, *args, **{**known, **given})

    table.__init__ = fill  # type: ignore[method-assign]
    return table


def recipe_values(recipe: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a recipe sets beside the optimizers that are given; {} for an unknown one."""
    values = dict(RECIPES.get(recipe, {}))
    for part in PREFIXES.values():
        if given.get(f"{part}optimizer") == "adamw":  # its moments replace a momentum
            values.pop(f"{part}momentum", None)
            values.pop(f"{part}nesterov", None)
            rate = f"{part}learning_rate"
            if rate in _BY_ADAMW.get(recipe, {}):
                values[rate] = _BY_ADAMW[recipe][rate]
    return values


def check_recipe(settings: Settings) -> None:
    """Raise `OptionError`, one line, for values of one training that do not match."""
    for part in PREFIXES.values():
        _check_optimizer(settings, part)
        _check_schedule(settings, part)


def _check_optimizer(settings: Settings, part: str) -> None:
    momentum, nesterov = f"{part}momentum", f"{part}nesterov"
    given = getattr(settings, momentum)
    if getattr(settings, f"{part}optimizer") == "adamw" and given:
        raise OptionError(
            f"{named(momentum, given)}: AdamW has moments of its own and takes no momentum; give "
            f"{named(momentum, 0)}, or {named(f'{part}optimizer', 'sgd')}",
            momentum,
        )
    if getattr(settings, nesterov) and not given:
        raise OptionError(
            f"{named(nesterov, True)} is a form of momentum: it needs a {named(momentum)} above 0",
            nesterov,
        )


def _check_schedule(settings: Settings, part: str) -> None:
    schedule, milestones = f"{part}schedule", f"{part}milestones"
    factor, given = f"{part}milestone_factor", getattr(settings, milestones)
    stepwise = getattr(settings, schedule) == "step"
    if stepwise and not given:
        raise OptionError(
            f"{named(schedule, 'step')} needs {named(milestones)}: shares of the steps at which "
            "the learning rate falls, such as 0.5,0.75",
            schedule,
        )
    for name in (milestones, factor):
        value = getattr(settings, name)
        if not stepwise and value != getattr(type(settings), name):
            raise OptionError(f"{named(name)} is for {named(schedule, 'step')} alone", name)
