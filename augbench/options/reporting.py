"""A stored study's options in words, for reports."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from augbench.options.option import options_of
from augbench.options.recipes import RECIPES, SET_BY_RECIPES, recipe_values
from augbench.options.settings import TRAINING, Settings
from augbench.options.table import Options, grouped

__all__ = ["differing", "reported", "titled"]


def reported(description: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(title, value) of every option that a report lists, from a stored study's description.

    The options that a recipe sets are told by the recipe's name, and each that differs from the
    handout's by its value. An option that the study's version of AugBench did not have yet is at
    its default; a setting that this version does not know is listed by its name.
    """
    readouts = description.get("readouts", Options.readouts)
    settings = {
        name: value
        for name, value in description["settings"].items()
        if name not in options_of(Settings) or _is_for(name, readouts)
    }
    rows = []
    for heading, options in grouped(Options).items():
        if heading == TRAINING:
            rows.append((options_of(Options)["recipe"].title, _recipe(settings, readouts)))
        for name, option in options.items():
            if option.reported and _is_for(name, readouts):
                place = settings if name in options_of(Settings) else description
                value = place.get(name, option.default)
                if option.key and not option.key.always and option.check(value) == option.default:
                    continue
                text = option.show(value)
                if name == "pretrain_steps" and "budgets" in description:
                    text = ", ".join(description["budgets"])
                    if "primary_budget" in description:
                        text += f"; primary: {description['primary_budget']}"
                if name == "finetune_samples_per_class":  # several sizes stand beside the settings
                    text = option.show(description.get(name, value))
                rows.append((option.title, text))
                settings.pop(name, None)
    return [*rows, *((name.replace("_", " "), str(value)) for name, value in settings.items())]


def _is_for(name: str, readouts: Collection[str]) -> bool:
    """False for a setting of a readout that the study lacks, or of finetuning without any."""
    key = (options_of(Settings).get(name) or options_of(Options)[name]).key
    if key is not None and key.part == "finetuning":
        return set(readouts) != {"own-head"}
    return key is None or key.part in ("pretraining", "finetuning", *readouts)


def _recipe(settings: Mapping[str, Any], readouts: Collection[str]) -> str:
    """The named recipe that is closest to the settings, and what differs from it."""
    options = options_of(Settings)
    learning = [
        name
        for name, option in options.items()
        if _is_for(name, readouts)
        and (name in SET_BY_RECIPES or (option.key and not option.key.always))
    ]
    values = {name: settings.get(name, options[name].default) for name in learning}
    values = {name: options[name].check(value) for name, value in values.items()}
    differing = {
        recipe: [name for name in learning if values[name] != own.get(name, options[name].default)]
        for recipe in RECIPES
        for own in [recipe_values(recipe, values)]
    }
    closest = min(differing, key=lambda recipe: len(differing[recipe]))
    titles = [options[name].title for name in differing[closest]]
    return f"{closest}, but for {', '.join(titles)}" if titles else closest


def titled(description: Mapping[str, Any]) -> dict[str, Any]:
    """A stored study's description with its reported options in words, and the rest as it is."""
    listed = {name for name, option in options_of(Options).items() if option.reported}
    rest = {name: value for name, value in description.items() if name not in listed}
    rest.pop("settings", None)
    return {**dict(reported(description)), **rest}


def differing(
    first: Any, second: Any, *, lacking: Any = None, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """(path, first value, second value) of every part in which two descriptions differ.

    A part that one of them lacks is `lacking` there: with `{}`, the parts of the other's part are
    told one by one.
    """
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for key in dict.fromkeys([*first, *second]):
            parts = first.get(key, lacking), second.get(key, lacking)
            yield from differing(*parts, lacking=lacking, path=(*path, str(key)))
    elif first != second:
        yield path, first, second
