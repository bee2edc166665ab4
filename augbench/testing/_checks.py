"""Run checks on a subject, and hold the outcomes against what the author expects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from augbench.errors import UsageError
from augbench.plugins.isolation import PLUGIN_FAILURES, describe
from augbench.plugins.suggestion import suggestion
from augbench.testing._search import NothingUsableError
from augbench.testing.outcomes import CheckResult, ConformanceReport, Status

__all__ = ["Check", "SkippedError", "ViolationError", "report", "run_check", "selected"]

Subject = TypeVar("Subject")


class ViolationError(Exception):
    """A promise is broken: the violation in words, and the smallest example of it."""

    def __init__(self, message: str, example: object = "") -> None:
        super().__init__(message)
        self.message, self.example = message, str(example)


class SkippedError(Exception):
    """The check does not apply; the text says why."""


@dataclass(frozen=True)
class Check(Generic[Subject]):
    """One promise of a contract; `run` raises `ViolationError` where it is broken."""

    name: str
    about: str
    run: Callable[[Subject], None]


def run_check(
    check: Check[Subject], subject: Subject, expected_failures: Mapping[str, str]
) -> CheckResult:
    """Run one check."""
    reason = expected_failures.get(check.name, "")
    try:
        check.run(subject)
    except ViolationError as found:
        failed: Status = "expected failure" if reason else "failed"
        message = " ".join(found.message.split())
        return CheckResult(check.name, failed, check.about, message, found.example, reason)
    except (SkippedError, NothingUsableError) as skipped:
        return CheckResult(check.name, "skipped", check.about, " ".join(str(skipped).split()))
    except PLUGIN_FAILURES as error:
        # Something that no check foresaw: the other checks go on.
        failed = "expected failure" if reason else "failed"
        message = f"the check ended with {describe(error)}"
        return CheckResult(check.name, failed, check.about, message, reason=reason)
    passed: Status = "unexpected pass" if reason else "passed"
    return CheckResult(check.name, passed, check.about, reason=reason)


def selected(
    checks: Sequence[Check[Subject]],
    only: Iterable[str] | None,
    expected_failures: Mapping[str, str],
) -> list[Check[Subject]]:
    """Select the checks to run.

    Raises `UsageError` for an unknown name, for an expected failure without a reason, and for an
    empty selection.
    """
    names = [check.name for check in checks]
    wanted = names if only is None else list(only)
    for name in (*wanted, *expected_failures):
        if name not in names:
            raise UsageError(
                f"there is no check {name!r}{suggestion(name, names)} (checks: {', '.join(names)})"
            )
    for name, reason in expected_failures.items():
        if not reason.strip():
            raise UsageError(f"expected failure {name!r}: give the reason why it fails")
    if not wanted:
        raise UsageError("no check was selected: running none would prove nothing")
    return [check for check in checks if check.name in wanted]


def report(
    kind: str,
    name: str,
    checks: Sequence[Check[Subject]],
    subject: Subject,
    expected_failures: Mapping[str, str] | None,
    only: Iterable[str] | None,
) -> ConformanceReport:
    """Run the selected checks."""
    expected = expected_failures or {}
    chosen = selected(checks, only, expected)
    return ConformanceReport(
        kind, name, tuple(run_check(check, subject, expected) for check in chosen)
    )
