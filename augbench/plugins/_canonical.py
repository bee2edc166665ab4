"""The canonical form of a Python source: the code without its explanations.

Comments, layout, docstrings and `pass` do not enter it, nor do declarations of a class that say
how a component is used, not what it does. It is the same under Python 3.11, 3.12 and
3.13, so that results stored under one of them are found under another. `ast.dump` does not hold to
that: newer Pythons add fields to nodes (`type_params`), split f-strings at other places, and write
strings with the Unicode tables of their own.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

__all__ = ["canonical", "parsed"]

_DECLARATIONS = frozenset({"operations", "search_space"})
"""Attributes of a class, or properties, that change no result: where tuning searches, and what an
augmentation resembles."""

_IGNORED = frozenset({"kind", "type_comment", "type_ignores"})
"""Fields without effect: the u of u"text", and what only type checkers read."""


def parsed(source: bytes) -> ast.Module | None:
    """Parse a source; None for anything but Python, such as a compiled module."""
    with warnings.catch_warnings():
        # Pythons warn of other things in a source, and a filter may make an error of each.
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError):
            return None


def canonical(tree: ast.AST) -> bytes:
    """Write a syntax tree as `Name(field value …)`, without fields that are empty."""
    written = bytearray()
    # A stack of our own, since long chains of operators nest deeper than calls may.
    pending: list[object] = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, bytes):
            written += item
        elif isinstance(item, ast.Constant):
            written += _constant(item.value)
        elif isinstance(item, ast.AST):
            pending += reversed([f"{type(item).__name__}(".encode(), *_fields(item), b")"])
        elif isinstance(item, list):
            pending += reversed([b"[", *item, b"]"])
        else:  # a name, a number, or the None of `{**other}`
            written += _constant(item)
    return bytes(written)


def _fields(node: ast.AST) -> Iterator[object]:
    """Yield names and values of the fields that count."""
    for name, value in ast.iter_fields(node):
        if isinstance(node, ast.JoinedStr) and name == "values":
            value = _pieces(value)
        elif isinstance(value, list):
            value = [item for item in value if not _without_effect(item)]
            if isinstance(node, ast.ClassDef) and name == "body":
                value = [item for item in value if not _declares(item)]
        elif (
            name == "format_spec" and isinstance(value, ast.JoinedStr) and not _pieces(value.values)
        ):
            continue  # f"{x:}" is f"{x}"
        # A newer Python's further fields are empty in a source that an older one can read.
        if value and name not in _IGNORED:
            yield f"{name} ".encode()
            yield value


def _without_effect(statement: object) -> bool:
    if isinstance(statement, ast.Expr):
        value = statement.value
        return isinstance(value, ast.Constant) and isinstance(value.value, str)
    return isinstance(statement, ast.Pass)


def _declares(statement: object) -> bool:
    targets: list[ast.expr]
    if isinstance(statement, ast.FunctionDef):
        # A property only: a method of that name may well do something.
        decorators = [one.id for one in statement.decorator_list if isinstance(one, ast.Name)]
        return statement.name in _DECLARATIONS and decorators == ["property"]
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    elif isinstance(statement, ast.Assign):
        targets = statement.targets
    else:
        return False
    return all(isinstance(one, ast.Name) and one.id in _DECLARATIONS for one in targets)


def _pieces(values: list[ast.expr]) -> list[ast.expr]:
    """Return an f-string's parts, with adjacent texts joined and empty ones dropped."""
    pieces: list[ast.expr] = []
    for value in values:
        if isinstance(value, ast.Constant):
            if not value.value:
                continue
            if pieces and isinstance(pieces[-1], ast.Constant):
                value = ast.Constant(pieces.pop().value + value.value)  # type: ignore[attr-defined]
        pieces.append(value)
    return pieces


def _constant(value: object) -> bytes:
    """Write a value with its type and length, so that different values never read alike."""
    if isinstance(value, str):
        # Not repr, which escapes what this Python's Unicode tables do not know.
        text = value.encode("utf-8", "surrogatepass")
    elif isinstance(value, bytes):
        text = value
    elif isinstance(value, int) and not isinstance(value, bool):
        text = hex(value).encode()  # a decimal may have 4,300 digits at most
    else:
        text = repr(value).encode()
    return f"{type(value).__name__} {len(text)} ".encode() + text + b";"
