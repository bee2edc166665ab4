"""Read a study from a file of TOML: options by the names of the table, and what it requires.

Every value is checked by its own option, so a file, the command line and Python take the same
values and give the same messages; here each has its place in the file, and all come at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from augbench.errors import OptionError
from augbench.options.arms import Arms
from augbench.options.calling import by_name, made, unknown_option
from augbench.options.file_paths import from_file
from augbench.options.option import Option, Shorthand, options_of, short
from augbench.options.problems import Origin, Problems
from augbench.options.recipes import SET_BY_RECIPES
from augbench.options.requirements import check_requirement
from augbench.options.spelling import named, written_as
from augbench.options.table import Options
from augbench.options.toml_places import TomlError, read_toml

__all__ = ["REQUIRES", "read_study", "shown"]

REQUIRES = "requires"
"""The table of the distributions that a study needs."""

_LARGEST = 1_000_000  # bytes
_EITHER = frozenset({"epochs", "pretrain_steps"})  # a study has one kind of budget

_Table = TypeVar("_Table", bound=Options)


def read_study(table: type[_Table], path: Path, given: Mapping[str, Any]) -> _Table:
    """Options from a file, and from what is `given` beside it, which wins: see `from_file`."""
    values, spelled = by_name(table, {}, given)
    document, places = _document(path)
    reader = _Reader(table, path.parent, places)
    with written_as(spelled):
        found = reader.read(document)
    lost = {*values, *(SET_BY_RECIPES if "recipe" in values else ())}
    if _EITHER & values.keys():
        lost |= _EITHER
    origin = reader.origin.without(dict.fromkeys(lost))
    kept = {name: value for name, value in found.items() if name not in lost}
    with written_as(origin.words, in_file=True), written_as(spelled):
        return made(table, kept | values, origin)


def _document(path: Path) -> tuple[dict[str, Any], dict[tuple[str | int, ...], str]]:
    """The values of a file, and the place of each as FILE:LINE:COLUMN; raises `OptionError`."""
    name = shown(path)
    try:
        if path.exists() and not path.is_file():  # to read a pipe might wait for ever
            what = "a folder" if path.is_dir() else "no regular file"
            raise OptionError(f"{name}: expected a study file of TOML, got {what}")
        size = path.stat().st_size
        if size > _LARGEST:
            raise OptionError(
                f"{name}: expected a study file of TOML, of at most {_LARGEST:,} bytes, got one "
                f"of {size:,}"
            )
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, OptionError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise OptionError(f"cannot read the study file {name}: {reason}") from None
    try:
        text = data.decode("utf-8-sig")  # some editors begin a file with a mark of its encoding
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise OptionError(
            f"{name}:{line}: expected text in UTF-8, got the byte 0x{data[error.start]:02x}; "
            "save the file as UTF-8"
        ) from None
    try:
        document, places = read_toml(text)
    except TomlError as error:
        place = ":".join(map(str, (name, *(error.position or ()))))
        raise OptionError(f"{place}: not valid TOML: {error}") from None
    return document, {key: f"{name}:{line}:{col}" for key, (line, col) in places.items()}


def shown(path: Path) -> str:
    """A path on one line, whatever characters are in it."""
    return str(path) if str(path).isprintable() else repr(str(path))


class _Reader:
    """Reads a document, and gathers its problems; `folder` is the one that paths start from."""

    def __init__(
        self, table: type, folder: Path, places: Mapping[tuple[str | int, ...], str]
    ) -> None:
        self._options = options_of(table)
        self._folder = folder
        self._places = places
        self._words: dict[str, tuple[Option[Any, Any], Shorthand | None]] = {}
        for option in self._options.values():
            self._words |= dict.fromkeys(option.spellings, (option, None))
            self._words |= {one.word: (option, one) for one in option.shorthands}
        self.origin = Origin()

    def read(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The values by their options' names in Python; raises what is wrong with any of them."""
        words: dict[str, str] = {}  # by option
        places: dict[tuple[str | int, ...], str] = {}
        problems, values = Problems(Origin({}, self._places)), {}
        for word, value in document.items():
            with problems.of(word):
                if word == REQUIRES:
                    self._requirements(value, problems)
                    continue
                if word not in self._words:
                    known = {*self._words, REQUIRES}
                    raise OptionError(unknown_option(word, known))
                option, shorthand = self._words[word]
                name = option.name
                if name in words:
                    raise OptionError(f"give either {words[name]} or {word}, not both")
                words[name] = word
                for path, place in self._places.items():
                    if path[0] == word:
                        places[name, *path[1:]] = place
                with written_as({name: word}, in_file=True):
                    values[name] = self._value(option, shorthand, value, problems)
        problems.tell()
        self.origin = Origin(words, places)
        return values

    def _value(
        self, option: Option[Any, Any], shorthand: Shorthand | None, value: Any, problems: Problems
    ) -> Any:
        if shorthand is not None:
            if not isinstance(value, bool):
                raise OptionError(
                    f"{named(option.name)}: expected true or false, got {short(value)}"
                )
            return shorthand.value if value else option.default
        if isinstance(option, Arms):
            return self._arms(option, value, problems)
        return from_file(option.name, option.check(_or_none(option, value)), self._folder)

    def _arms(self, option: Arms, value: Any, problems: Problems) -> Any:
        """The arms, each a table; one that is a text is read as on the command line."""
        tables = value if isinstance(value, list) else [value]
        arms: list[Any] = []
        word = named(option.name)
        for index, table in enumerate(tables):
            if not isinstance(table, dict):
                with problems.of(word, index):
                    if not isinstance(table, str):
                        raise OptionError(
                            f"{word}: expected tables [[arm]], each with an aug, got {short(table)}"
                        )
                    arms += option.check([table])
                continue
            found: dict[str, Any] = {}
            for key, entry in table.items():
                names = {option.words.get(key, key): key}
                with problems.of(word, index, key), written_as(names, in_file=True):
                    own = options_of(option.table).get(option.words.get(key, ""))
                    name, read = option.entry(key, _or_none(own, entry))
                    if name in found:
                        raise OptionError(f"{word}: {key!r} is given twice")
                    found[name] = read
            lost = {"aug", "augmentations"} & table.keys() and "aug" not in found
            if not lost:  # told already
                with problems.of(word, index):
                    arms.append(option.spec(found, table))
        return tuple(arms)

    def _requirements(self, table: Any, problems: Problems) -> None:
        if not isinstance(table, dict):
            raise OptionError(
                f"{REQUIRES}: expected a table of distributions, each with a version such as "
                f'">=0.1", got {short(table)}'
            )
        for distribution, specifier in table.items():
            with problems.of(REQUIRES, distribution):
                check_requirement(distribution, specifier)


def _or_none(option: Option[Any, Any] | None, value: Any) -> Any:
    """TOML has no None: where an option takes it, a file says false."""
    return None if value is False and option is not None and option.none_words else value
