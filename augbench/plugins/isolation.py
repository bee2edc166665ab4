"""Run a plugin's own code without effects on the process: prints, global random state."""

from __future__ import annotations

import contextlib
import importlib
import io
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pluggy

from augbench.errors import AugbenchError

__all__ = ["PLUGIN_FAILURES", "describe", "watched"]

PLUGIN_FAILURES = (Exception, SystemExit)
"""Errors of a plugin that do not take the tool down: `sys.exit()` at import is one of them."""


@contextlib.contextmanager
def watched(trusted: bool = False) -> Iterator[list[str]]:
    """Catch what the block prints, and undo what it does to global random state.

    Yields a list that holds one remark for each such finding once the block has ended. Torch's
    state is watched only if torch was imported before: the watch itself must not import it. The
    built-in components are `trusted`: not watched, so that NumPy is not imported for them.
    """
    remarks: list[str] = []
    if trusted:
        yield remarks
        return
    generators = _generators()
    before = [state() for _, state, _ in generators]
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            yield remarks
    finally:
        text = " ".join(printed.getvalue().split())
        if text:
            remarks.append(f"printed {_shortened(text)!r} (held back)")
        for (name, state, restore), old in zip(generators, before, strict=True):
            if not _same(state(), old):
                restore(old)
                remarks.append(f"changed the global random state of {name} (restored)")


def _generators() -> list[tuple[str, Callable[[], Any], Callable[[Any], object]]]:
    import numpy as np

    found: list[tuple[str, Callable[[], Any], Callable[[Any], object]]] = [
        ("random", random.getstate, random.setstate),
        ("NumPy", np.random.get_state, np.random.set_state),
    ]
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_rng_state"):
        found.append(("torch", torch.get_rng_state, torch.set_rng_state))
    return found


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, tuple) and isinstance(right, tuple) and len(left) == len(right):
        return all(_same(a, b) for a, b in zip(left, right, strict=True))
    if hasattr(left, "tolist") and hasattr(right, "tolist"):  # an array or a tensor
        return bool(left.tolist() == right.tolist())
    return bool(left == right)


def describe(error: BaseException) -> str:
    """Describe an error in one line: its type, its message, and the author's own line if any."""
    text = " ".join(str(error).split())
    kind = type(error).__name__
    if isinstance(error, AugbenchError):
        line = text  # written for people already
    else:
        line = f"{kind}: {_shortened(text, 300)}" if text else kind
    where = _where(error)
    return f"{line} ({where})" if where else line


def _where(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return ""  # its message names the place
    machinery = tuple(
        str(Path(module).parent) for module in (__file__, importlib.__file__, pluggy.__file__)
    )
    place = ""
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith((*machinery, "<frozen importlib")):
            place = f"{Path(file).name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _shortened(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
