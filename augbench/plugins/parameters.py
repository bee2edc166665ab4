"""A component's declared parameters: read from its signature, parsed from text, written back."""

from __future__ import annotations

import functools
import inspect
import math
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from augbench.errors import ParameterError
from augbench.plugins.components import Kind, ParameterValue
from augbench.plugins.suggestion import suggestion

__all__ = [
    "Parameter",
    "declared",
    "format_value",
    "label",
    "parse",
    "split",
    "split_outside_quotes",
    "values",
    "varied",
    "written",
]

_ANY = "bool | int | float | str"
_BASES = {bool: "bool", int: "int", float: "float", str: "str", types.NoneType: "none"}
_HARNESS: dict[Kind, tuple[str, ...]] = {
    "augmentation": (),
    "backbone": ("in_channels", "image_size"),
    "dataset": ("root", "download"),
    "executor": (),
    "corruption": (),
}
"""Arguments that the harness passes, which no study sets."""


@dataclass(frozen=True)
class Parameter:
    """One parameter that a study may set.

    `type` is one of `bool`, `int`, `float`, `str` and `none`, or several joined by ` | `.
    `choices` lists the values allowed where the annotation is a `Literal`.
    """

    name: str
    type: str
    default: ParameterValue = None
    required: bool = False
    choices: tuple[ParameterValue, ...] = ()


def declared(kind: Kind, factory: Any) -> tuple[Parameter, ...]:
    """The named parameters of a factory's signature, in its order.

    `*args` and `**kwargs` declare nothing. A parameter whose default is no bool, int, float, str
    or None cannot be written in a study: it keeps its default and is not listed.
    """
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return ()
    found = []
    for parameter in signature.parameters.values():
        if parameter.name in _HARNESS[kind] or parameter.kind not in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        ):
            continue
        required = parameter.default is parameter.empty
        default = None if required else parameter.default
        if not isinstance(default, bool | int | float | str | None):
            continue
        annotation = _evaluated(parameter.annotation, factory)
        names, choices = _from_annotation(annotation)
        if not names and default is not None:
            names = _BASES[_base(default)]
        elif not names and (required or annotation in (None, Any, parameter.empty)):
            names = _ANY
        elif not names:
            continue
        if default is None and not required and "none" not in names.split(" | "):
            names += " | none"
        found.append(
            Parameter(parameter.name, names, _canonical(default, names), required, choices)
        )
    return tuple(found)


def _evaluated(annotation: Any, factory: Any) -> Any:
    """Evaluate an annotation; None where it names something that only type checkers see."""
    if not isinstance(annotation, str):
        return annotation
    while isinstance(factory, functools.partial):
        factory = factory.func
    module = sys.modules.get(getattr(factory, "__module__", None) or "")
    try:
        return eval(annotation, dict(vars(module)) if module else {})
    except Exception:
        return None


def _from_annotation(annotation: Any) -> tuple[str, tuple[ParameterValue, ...]]:
    """The types that an annotation allows, joined by ` | ` (perhaps ""), and its choices."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _from_annotation(arguments[0])
    if origin is typing.Literal:
        names = dict.fromkeys(_BASES[_base(value)] for value in arguments)
        return " | ".join(names), arguments
    if origin in (typing.Union, types.UnionType):
        names = dict.fromkeys(
            name for part in arguments for name in _from_annotation(part)[0].split(" | ") if name
        )
        return ("" if set(names) <= {"none"} else " | ".join(names)), ()
    if annotation is None or not isinstance(annotation, type):
        return "", ()
    if issubclass(annotation, Path):
        return "str", ()
    return _BASES.get(annotation, ""), ()


def _base(value: Any) -> type:
    return next(base for base in _BASES if isinstance(value, base))


def _canonical(value: ParameterValue, names: str) -> ParameterValue:
    """Convert a value to its base type, and an int to a float where one is declared."""
    if value is None:
        return None
    base = _base(value)
    if base is int and "float" in names.split(" | ") and "int" not in names.split(" | "):
        base = float
    plain: ParameterValue = base(value)
    return plain + 0.0 if isinstance(plain, float) else plain  # −0.0 and 0.0 are one value


_QUOTED = re.compile(
    r"""(?:(?<=[:=,/])|^)(['"])((?:(?!\1).|\1\1)*)\1(?=\s*(?:[,/+|@]|$))""", re.DOTALL
)
"""A value in quotes: they open where a value may begin, and close where one may end. Inside, a
doubled quote means one, as in a table of comma-separated values."""
_SPECIAL = re.compile(r"[+@|/'\"]|^\s|\s$|,\s*[^\W\d]\w*\s*=")
_KEY = re.compile(r"\s*([^\W\d]\w*)\s*=(.*)", re.DOTALL)


def split_outside_quotes(text: str, separators: str) -> list[str]:
    """Split at each of the separators (single characters) that stands outside quotes."""
    hidden = _QUOTED.sub(lambda found: "\0" * len(found[0]), text)
    ends = [k for k, sign in enumerate(hidden) if sign in separators]
    return [text[a + 1 : b] for a, b in pairwise([-1, *ends, len(text)])]


def split(text: str) -> tuple[str | None, dict[str, str]]:
    """Split `[VALUE,]key=value,...` into VALUE and the named ones.

    A part that does not begin with `key=` continues what stands before it, so that a path or a
    list of names may hold commas; so may a value in quotes, which are taken off.
    """
    value: str | None = None
    named: dict[str, str] = {}
    last: str | None = None
    for part in split_outside_quotes(text, ","):
        if match := _KEY.fullmatch(part):
            last = match[1]
            if last in named:
                raise ParameterError(f"parameter {last!r} is given twice")
            named[last] = match[2]
        elif last is not None:
            named[last] += "," + part
        else:
            value = part if value is None else f"{value},{part}"
    return _unquoted(value), {name: _unquoted(word) for name, word in named.items()}


_Text = TypeVar("_Text", str, "str | None")


def _unquoted(text: _Text) -> _Text:
    found = _QUOTED.fullmatch(text.strip()) if text else None
    return found[2].replace(found[1] * 2, found[1]) if found else text


def parse(parameter: Parameter, text: str) -> ParameterValue:
    """Read a value of the declared type; raises `ParameterError` naming what was expected."""
    for name in ("none", "bool", "int", "float", "str"):
        if name in parameter.type.split(" | "):
            read, value = _read(name, text)
            if read and (not parameter.choices or value in parameter.choices):
                return _canonical(value, parameter.type)
    expected = " | ".join(map(format_value, parameter.choices)) or parameter.type
    raise ParameterError(f"parameter {parameter.name!r} expects {expected}, got {text!r}")


def _read(name: str, text: str) -> tuple[bool, ParameterValue]:
    word = text.strip().lower()
    match name:
        case "none":
            return word == "none", None
        case "bool":
            return word in ("true", "false"), word == "true"
        case "str":
            return True, text
    try:
        if name == "int":
            return True, int(word)
        number = float(word)
    except ValueError:
        return False, None
    return math.isfinite(number), number


def format_value(value: ParameterValue) -> str:
    """Write a value so that `parse` reads it back."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else repr(value)


def written(value: ParameterValue) -> str:
    """Write a value for a spec of augmentations, in quotes where a part of it would separate."""
    text = format_value(value)
    if not _SPECIAL.search(text):
        return text
    quote = '"' if "'" in text and '"' not in text else "'"
    return quote + text.replace(quote, quote * 2) + quote


def values(
    declared: tuple[Parameter, ...],
    text: str | None,
    given: Mapping[str, ParameterValue] | None = None,
) -> dict[str, ParameterValue]:
    """Read every parameter's value from a spec's text (None: no text), or take its default.

    `given` are values that the harness sets: the text must leave them out.
    """
    given = given or {}
    for name in given:
        if name not in {parameter.name for parameter in declared}:
            raise ParameterError(f"its constructor takes no parameter {name!r}")
    declared = tuple(parameter for parameter in declared if parameter.name not in given)
    by_name = {parameter.name: parameter for parameter in declared}
    listed = ", ".join(by_name) or "it has none"
    found: dict[str, ParameterValue] = {}
    if text is not None:
        if not text.strip():
            raise ParameterError("expected a value or key=value after ':'")
        value, named = split(text)
        if value is not None:
            if not declared:
                raise ParameterError(f"takes no parameters, got {value!r}")
            if declared[0].name in named:
                raise ParameterError(f"parameter {declared[0].name!r} is given twice")
            named = {declared[0].name: value} | named
        for name, word in named.items():
            if name in given:
                raise ParameterError(f"parameter {name!r} is set by AugBench: leave it out")
            if name not in by_name:
                raise ParameterError(
                    f"no parameter {name!r}{suggestion(name, by_name)} (parameters: {listed})"
                )
            found[name] = parse(by_name[name], word)
    missing = [p.name for p in declared if p.required and p.name not in found]
    if missing:
        raise ParameterError(f"parameter {missing[0]!r} is required: write NAME:{missing[0]}=VALUE")
    return {p.name: found.get(p.name, p.default) for p in declared} | dict(given)


def varied(declared: tuple[Parameter, ...], values: dict[str, ParameterValue]) -> frozenset[str]:
    """The names of the parameters that differ from their defaults, or have none."""
    return frozenset(p.name for p in declared if p.required or values[p.name] != p.default)


def label(
    name: str,
    declared: tuple[Parameter, ...],
    values: dict[str, ParameterValue],
    write: Callable[[ParameterValue], str] = format_value,
) -> str:
    """The name with the parameters that differ from their defaults; `resolve` reads it back."""
    differing = varied(declared, values)
    told = [f"{p.name}={write(values[p.name])}" for p in declared if p.name in differing]
    return f"{name}:{','.join(told)}" if told else name
