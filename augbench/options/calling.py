"""Functions that take the options of a study as their arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from difflib import get_close_matches
from functools import update_wrapper
from typing import Any, ParamSpec, Protocol, TypeVar, cast, get_args, overload

from augbench.errors import OptionError
from augbench.options.option import Option, options_of, short
from augbench.options.problems import Origin, Problems
from augbench.options.recipes import SET_BY_RECIPES
from augbench.options.settings import Settings
from augbench.options.spelling import as_written, written_as
from augbench.options.table import Options, grouped

__all__ = ["TakesOptions", "by_name", "made", "made_from", "takes_options", "unknown_option"]

_P = ParamSpec("_P")
_Table = TypeVar("_Table", bound=Options)
_Result = TypeVar("_Result")
_Returned = TypeVar("_Returned", covariant=True)


class TakesOptions(Protocol[_P, _Returned]):
    """A function of the options: given one by one by their names, or as one `Options`."""

    @overload
    def __call__(self, options: Options, /) -> _Returned: ...
    @overload
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _Returned: ...


def takes_options(
    table: Callable[_P, _Table],
) -> Callable[[Callable[[_Table], _Result]], TakesOptions[_P, _Result]]:
    """Let a function of a table be called with the table's options, as a decorator.

    Type checkers and `inspect.signature` see every option by its name in Python, with its type and
    default; the docstring gets a line for each. At run time the flags' own names serve as well
    (`lr=0.1`), and messages call an option as the caller did.
    """

    def decorate(function: Callable[[_Table], _Result]) -> TakesOptions[_P, _Result]:
        kind = cast("type[_Table]", table)
        signature = inspect.signature(kind)

        def call(*args: Any, **kwargs: Any) -> _Result:
            base: dict[str, Any] = {}
            origin, told = Origin(), frozenset[str]()
            if args and isinstance(args[0], Options):
                known, origin, told = vars(args[0]), args[0].origin, args[0].given
                base = {f.name: getattr(args[0], f.name) for f in fields(kind) if f.name in known}
                args = args[1:]
            positional = signature.bind_partial(*args).arguments
            values, spelled = by_name(kind, positional, kwargs)
            if "recipe" in values:  # a recipe takes the place of another
                base = {name: v for name, v in base.items() if name not in SET_BY_RECIPES}
            origin = origin.without(values)
            with written_as(origin.words, in_file=True), written_as(spelled):
                return function(made(kind, base | values, origin, told.union(values)))

        update_wrapper(call, function)
        shown = _signature(kind, function)
        call.__dict__["__signature__"] = shown
        call.__annotations__ = {
            **{name: parameter.annotation for name, parameter in shown.parameters.items()},
            "return": shown.return_annotation,
        }
        call.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n{_help(kind)}"
        return cast("TakesOptions[_P, _Result]", call)

    return decorate


def made_from(table: type[_Table], given: Mapping[str, Any]) -> _Table:
    """A table of what was given by name: names of Python, or the flags' own.

    What was not given has its default. Raises `OptionError`, one line, for an unknown name, one
    option under two names, or a value that an option refuses; `StudyProblems` for several values.
    """
    values, spelled = by_name(table, {}, given)
    with written_as(spelled):
        return made(table, values)


def made(
    table: type[_Table],
    values: Mapping[str, Any],
    origin: Origin | None = None,
    given: Collection[str] | None = None,
) -> _Table:
    """A table of values by their names in Python, which came from a file if `origin` says so.

    `given` names those that somebody gave, by default all. Every value is checked before any error
    is raised.
    """
    problems = Problems(origin)
    options = options_of(table)
    for name, value in values.items():
        with problems.of(name):
            if name in options:
                options[name].check(value)
    problems.tell()
    with problems.of():
        result = table(**values)
    problems.tell()
    if origin is not None:
        result.__dict__["_origin"] = origin
    result.__dict__["_given"] = frozenset(values if given is None else given)
    return result


def by_name(
    table: type, positional: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The values by their names in Python, and the names that were written instead.

    Raises `OptionError` for an unknown name, or one option under two names.
    """
    options = options_of(table)
    names = {field.name: field.name for field in fields(table)}
    names |= {word: name for name, option in options.items() for word in option.spellings}
    shorthands = {
        one.word: (name, one.value) for name, option in options.items() for one in option.shorthands
    }
    values, spelled = dict(positional), {name: name for name in positional}
    given = dict(given)
    if "settings" in given:  # all of them at once
        settings = given.pop("settings")
        if not isinstance(settings, Settings):
            raise OptionError(f"settings: expected a Settings, got {short(settings)}")
        values |= {name: getattr(settings, name) for name in options_of(Settings)}
        # A recipe could set nothing then.
        spelled |= dict.fromkeys([*options_of(Settings), "recipe"], "settings")
    for word, value in given.items():
        name = names.get(word, "")
        if not name and word in shorthands:
            name, meaning = shorthands[word]
            if not isinstance(value, bool):
                raise OptionError(f"{word}: expected True or False, got {short(value)}")
            value = meaning if value else options[name].default
        if not name:
            raise OptionError(unknown_option(word, {*names, *shorthands}))
        if name in spelled:
            both = f"{as_written(spelled[name])} or {as_written(word)}"
            raise OptionError(f"give either {both}, not both")
        values[name], spelled[name] = value, word
    return values, {name: as_written(word) for name, word in spelled.items() if word != name}


def unknown_option(word: str, known: Collection[str]) -> str:
    """The message for a word that is no option's name."""
    close = get_close_matches(word, known, 1)
    if close:
        return f"unknown option {short(word)}; did you mean {close[0]!r}?"
    return f"unknown option {short(word)} (expected one of {', '.join(sorted(known))})"


def _signature(table: type, function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a table's constructor, with what may be given as the annotations."""
    options = options_of(table)
    returned = inspect.signature(function).return_annotation
    parameters = [
        parameter.replace(annotation=_annotation(options.get(name), parameter.annotation))
        for name, parameter in inspect.signature(table).parameters.items()
    ]
    return inspect.Signature(parameters, return_annotation=returned)


def _annotation(option: Option[Any, Any] | None, otherwise: Any) -> Any:
    """The annotation of an option's argument: the type that its `__set__` takes."""
    if option is None:
        return otherwise
    for base in inspect.getmro(type(option)):
        for generic in getattr(base, "__orig_bases__", ()):
            given = get_args(generic)
            if given and not isinstance(given[0], TypeVar):
                return getattr(given[0], "__forward_arg__", None) or given[0].__name__
    return otherwise


def _help(table: type) -> str:
    lines = []
    for heading, options in grouped(table).items():
        lines += ["", f"{heading}:"]
        lines += [
            f"    {name}: {option.help}  [{option.about}]" for name, option in options.items()
        ]
    return "\n".join(lines[1:])
