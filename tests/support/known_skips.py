"""A pytest plugin for `.ci/run`: a test that is skipped for an unexpected reason fails the run.

`-p known_skips --may-skip REGEX …` allows the skips whose reason matches one of the expressions.
A test that quietly never runs proves nothing.
"""

from __future__ import annotations

import re

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--may-skip",
        action="append",
        default=[],
        metavar="REGEX",
        help="allow skips for such a reason; any other fails the run",
    )


def pytest_configure(config: pytest.Config) -> None:
    # Workers of xdist report to the controller, which judges.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(KnownSkips(config.getoption("--may-skip")))


class KnownSkips:
    """Collects the skips of a run."""

    def __init__(self, allowed: list[str]) -> None:
        self._allowed = [re.compile(text) for text in allowed]
        self._unknown: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._judge(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._judge(report)

    def _judge(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if not any(pattern.search(reason) for pattern in self._allowed):
            self._unknown.append(f"{report.nodeid}: {reason}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._unknown and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._unknown:
            terminalreporter.section(
                "skipped for a reason that --may-skip does not allow", red=True
            )
            for line in self._unknown:
                terminalreporter.write_line(line)
