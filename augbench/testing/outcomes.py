"""Results of checks: plain frozen values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["CheckResult", "ConformanceReport", "Status"]

Status = Literal["passed", "failed", "expected failure", "unexpected pass", "skipped"]


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check.

    `about` is the promise that was checked. `message` is the violation in words, or why the
    check was skipped; `example` is the smallest input that shows it, in a form that replays;
    `reason` is what the author gave for an expected failure.
    """

    check: str
    status: Status
    about: str = ""
    message: str = ""
    example: str = ""
    reason: str = ""

    @property
    def ok(self) -> bool:
        """True for anything but a failure or an unexpected pass, which an author has to look at."""
        return self.status not in ("failed", "unexpected pass")

    def __str__(self) -> str:
        words = {
            "passed": self.about,
            "failed": self.message,
            "expected failure": f"{self.reason} ({self.message})",
            "unexpected pass": f"it passes, but was expected to fail ({self.reason})",
            "skipped": self.message,
        }
        smallest = f" · smallest: {self.example}" if self.example else ""
        return f"{self.status:16}  {self.check:19}  {words[self.status]}{smallest}"


@dataclass(frozen=True)
class ConformanceReport:
    """The results of all checks of one component. `str` gives one line a check."""

    kind: str
    name: str
    results: tuple[CheckResult, ...]

    @property
    def ok(self) -> bool:
        """True if it conforms: no check failed or passed unexpectedly, and some check ran."""
        ran = any(result.status != "skipped" for result in self.results)
        return ran and all(result.ok for result in self.results)

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The checks that failed, and those that passed unexpectedly."""
        return tuple(result for result in self.results if not result.ok)

    def __getitem__(self, check: str) -> CheckResult:
        """The result of one check, by its name."""
        for result in self.results:
            if result.check == check:
                return result
        raise KeyError(check)

    def __str__(self) -> str:
        return "\n".join([f"{self.kind} {self.name}", *(f"  {result}" for result in self.results)])

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "ok": self.ok}
