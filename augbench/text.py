"""Text from outside as a person may safely see it: names of files, classes and plugins, errors."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable

__all__ = ["cut", "encodable", "escaped", "file_name", "in_a_cell", "shown"]

_LONGEST = 300
"""Letters without a space that are printed; a longer word is cut."""
_JOINERS = "\u200c\u200d"  # within words of Persian or Hindi, and within emoji
# Where one of these is, characters are looked at one by one. Cc, Cf, Cs, Zl and Zp are in it.
_SUSPICIOUS = re.compile(r"[^\n -~\u00a1-\u00ac\u00ae-\u024f\u2010-\u2027\u2190-\u22ff]")
_WORD = re.compile(rf"\S{{{_LONGEST + 1},}}")
_PLAIN = re.compile(r"[A-Za-z0-9.=_-]+")
_SPEC = re.compile(r"[A-Za-z0-9.-]+:[A-Za-z0-9.-]+=[A-Za-z0-9.=-]+")
_LONGEST_FILE_NAME = 64


def shown(text: object) -> str:
    """The text with control characters, changes of direction and lone surrogates as escapes.

    What would move a cursor, colour a terminal or turn letters round is printed as `\\x1b`. Ends of
    lines stay. Words of more than 300 letters are `cut`.
    """
    return _WORD.sub(_shortened, escaped(str(text)))


def escaped(text: str) -> str:
    """The same without leaving anything out."""
    return _SUSPICIOUS.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    letter = match.group()
    if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") and letter not in _JOINERS:
        return letter.encode("unicode_escape").decode() if letter != "\t" else " "
    return letter


def _shortened(match: re.Match[str]) -> str:
    word = match.group()
    mark = word[-1] if word[-1] in ",;:.)" else ""  # a sentence's, and no part of a name
    return cut(word.removesuffix(mark), _LONGEST) + mark


def cut(
    name: str,
    longest: int,
    *,
    among: Iterable[str] | None = None,
    width: Callable[[str], int] = len,
) -> str:
    """A name of at most `longest` letters: a longer one without its middle, but unlike any other.

    Four digits of its SHA-256 stand in the middle, as in `mixup:al…3fa2…a=0.25`. Where the names
    `among` which it stands are known, only those that would be cut alike have digits. `width`
    counts letters, or the columns that they take in a terminal.
    """
    if width(name) <= longest:
        return name
    plain = _without_middle(name, longest, "…", width)
    if among is not None and not any(
        other != name and _without_middle(other, longest, "…", width) == plain for other in among
    ):
        return plain
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return _without_middle(name, longest, f"…{digest[:4]}…", width)


def _without_middle(name: str, longest: int, middle: str, width: Callable[[str], int]) -> str:
    if width(name) <= longest:
        return name
    room = max(0, longest - len(middle))
    begin, end = name[: room - room // 2], name[len(name) - room // 2 :]
    while width(begin) > room - room // 2:
        begin = begin[:-1]
    while width(end) > room // 2:
        end = end[1:]
    return f"{begin}{middle}{end}"


def encodable(text: str) -> str:
    """The text with lone surrogates, which no encoding has, as escapes such as `\\udc80`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def in_a_cell(text: str) -> str:
    """A text for a field of CSV, which a spreadsheet will not take for a formula.

    One that begins with `=`, `+`, `-`, `@`, a tab or the end of a line gets an apostrophe in front.
    """
    clean = encodable(text)
    return f"'{clean}" if clean.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else clean


def file_name(name: str) -> str:
    """A name as a part of a file name of at most 64 letters, another one for every name.

    Letters, digits, `.`, `=`, `-` and `_` stay. Where anything was replaced or cut, six digits of
    the name's SHA-256 follow, so that two names that differ in a separator have two files; only
    specs such as `mixup:alpha=0.4` do without.
    """
    text = re.sub(r"[^A-Za-z0-9.=_-]+", "_", name).strip("_")
    if len(text) <= _LONGEST_FILE_NAME:
        if _SPEC.fullmatch(name):
            return text
        # A plain name that looks like a spec's would take that one's file.
        if _PLAIN.fullmatch(name) and text == name and not re.search("_.*=", name):
            return text
    half = (_LONGEST_FILE_NAME - 8) // 2
    if len(text) > 2 * half + 1:
        text = f"{text[:half]}_{text[-half:]}"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{text}-{digest}"
