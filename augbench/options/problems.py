"""Problems of a study, gathered so that all are told at once, each with its place in a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from augbench.errors import OptionError, StudyProblems, UsageError

__all__ = ["Origin", "Problems"]


@dataclass(frozen=True)
class Origin:
    """Where options were written: in a file, which their `places` name as `FILE:LINE:COLUMN`.

    A place is found by an option's name in Python, and by what leads into its value: the position
    in a list, the key in a table. `words` are the options' names as the file has them.
    """

    words: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[tuple[str | int, ...], str] = field(default_factory=dict)

    def place(self, *path: str | int) -> str:
        """The place of a value, or of the smallest known one around it; "" for none."""
        while path:
            if path in self.places:
                return self.places[path]
            path = path[:-1]
        return ""

    def without(self, names: Mapping[str, object]) -> Origin:
        """What is left where these options were given again, elsewhere."""
        return Origin(
            {name: word for name, word in self.words.items() if name not in names},
            {path: place for path, place in self.places.items() if path[0] not in names},
        )


class Problems:
    """Gathers errors of usage, and raises them together."""

    def __init__(self, origin: Origin | None = None) -> None:
        self._origin = origin or Origin()
        self._found: list[UsageError] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    @contextmanager
    def of(self, *path: str | int) -> Iterator[None]:
        """Keep a `UsageError` from within for later; `path` leads to the value it is about.

        Without a path, it is about the option that an `OptionError` names.
        """
        try:
            yield
        except UsageError as error:
            if not path and isinstance(error, OptionError):
                path = (error.option,)
            self.add(error, self._origin.place(*path))

    def add(self, error: UsageError, place: str = "") -> None:
        """Note an error, with the place in a file where that is known."""
        if place:
            # A plugin's own exception may be made otherwise; ours take a text.
            kind = next(
                one for one in type(error).__mro__ if one.__module__ == UsageError.__module__
            )
            placed = kind(f"{place}: {error}")
            placed.__cause__ = error
            error = placed
        if str(error) not in map(str, self._found):
            self._found.append(error)

    def tell(self) -> None:
        """Raise what was found: a single error as it is, several as `StudyProblems`."""
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            raise StudyProblems("\n".join(map(str, self._found)))
