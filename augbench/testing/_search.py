"""Look for the smallest input that breaks a promise, within a limit of time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

__all__ = ["NothingUsableError", "UnusableError", "smallest_failure"]

_Drawn = TypeVar("_Drawn")

_EXAMPLES = 24


class UnusableError(Exception):
    """The input cannot test this promise, since it breaks another one."""


class NothingUsableError(Exception):
    """No input could test the promise; the text is the reason of the last one."""


class _FoundError(Exception):
    """The promise is broken; Hypothesis shrinks the input that raises this."""


class _OutOfTime(BaseException):
    """Ends the search: a `BaseException`, since Hypothesis catches exceptions."""


def smallest_failure(
    strategy: st.SearchStrategy[_Drawn],
    examine: Callable[[_Drawn], str | None],
    *,
    seconds: float,
    examples: int = _EXAMPLES,
) -> tuple[_Drawn, str] | None:
    """Find the smallest drawn input that `examine` returns a message for; returns both.

    `examine` raises `UnusableError` for inputs that do not count. Returns None if all are sound;
    raises `NothingUsableError` if no input counted. The inputs are the same at every run.
    """
    smallest: tuple[_Drawn, str] | None = None
    usable, unusable = 0, "nothing was drawn in time"
    deadline = time.monotonic() + seconds

    @seed(0)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(drawn: _Drawn) -> None:
        nonlocal smallest, usable, unusable
        if time.monotonic() > deadline and (usable or smallest):
            raise _OutOfTime
        try:
            message = examine(drawn)
        except UnusableError as error:
            unusable = str(error)
            return
        usable += 1
        if message is not None:
            smallest = drawn, message  # each one is smaller than the last
            raise _FoundError

    with contextlib.suppress(_FoundError, _OutOfTime, Flaky):
        run()
    if not usable:
        raise NothingUsableError(unusable)
    return smallest
