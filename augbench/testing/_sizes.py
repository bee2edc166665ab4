"""Checks that calls succeed on images of awkward sizes, for whatever is called on images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from hypothesis import strategies as st

from augbench.testing._checks import Check, SkippedError, ViolationError
from augbench.testing.strategies import Case, cases

__all__ = ["fails_at_a_size", "plain_cases", "size_checks"]


class _Called(Protocol):
    @property
    def always_raises(self) -> bool: ...
    def search(
        self,
        examine: Callable[..., str | None],
        strategy: st.SearchStrategy[Case] | None = None,
        *,
        examples: int,
    ) -> None: ...


_Subject = TypeVar("_Subject", bound=_Called)


def plain_cases(
    n: Sequence[int] = (2, 4, 8),
    channels: Sequence[int] = (1,),
    heights: tuple[int, int] = (28, 28),
    widths: tuple[int, int] = (28, 28),
) -> st.SearchStrategy[Case]:
    """Cases of plain sizes, but for those that are given."""
    return cases(n=n, channels=channels, heights=heights, widths=widths)


def size_checks(
    raises: Callable[[_Subject], Callable[..., str | None]], *, examples: int
) -> tuple[Check[_Subject], ...]:
    """Checks that calls succeed whose size is awkward in one way and plain otherwise.

    `raises` makes of a subject what examines one call; each check has that many `examples`.
    """

    def check(name: str, about: str, strategy: st.SearchStrategy[Case]) -> Check[_Subject]:
        def run(subject: _Subject) -> None:
            if subject.always_raises:
                raise SkippedError("every call raises an error: see 'runs'")
            subject.search(raises(subject), strategy, examples=examples)

        return Check(name, about, run)

    return (
        check("one-image", "a batch of one image works", plain_cases(n=(1,))),
        check("odd-batch", "batches of odd size work", plain_cases(n=(3, 5, 7))),
        check(
            "image-sizes",
            "images of odd sides and images that are not square work",
            plain_cases(heights=(8, 33), widths=(8, 33)),
        ),
        check("channels", "images of 1 and of 3 channels work", plain_cases(channels=(1, 3))),
    )


def fails_at_a_size(checks: Sequence[Check[_Subject]], subject: _Subject) -> bool:
    """True if one of the checks of sizes fails, which then says so itself."""
    for check in checks:
        try:
            check.run(subject)
        except ViolationError:
            return True
    return False
