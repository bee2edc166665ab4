"""`augbench check`."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from augbench.cli._completion import complete_component
from augbench.cli._shared import data_options, plugin_options, tell_problems
from augbench.errors import ContractError, PluginError, UnknownNameError, UsageError
from augbench.plugins.components import WORDS
from augbench.plugins.suggestion import suggestion
from augbench.text import shown

if TYPE_CHECKING:
    from augbench.plugins.components import Kind
    from augbench.plugins.registry import Registry
    from augbench.testing import ConformanceReport

__all__ = ["check_command"]

_SECONDS = 40.0

_Found = list[tuple["Kind", str]]


@click.command("check")
@click.argument(
    "names",
    nargs=-1,
    metavar="[NAME|SPEC|DISTRIBUTION|FILE.py]...",
    shell_complete=complete_component,
)
@click.option(
    "--expect-failure",
    "expected",
    multiple=True,
    metavar="CHECK=REASON",
    help="A check that fails, and why; if it passes, that is a failure. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_options
@plugin_options
def check_command(
    names: tuple[str, ...],
    expected: tuple[str, ...],
    as_json: bool,
    data_root: Path | None,
    download: bool,
    plugins: tuple[str, ...],
    strict_plugins: bool,
) -> None:
    """Check that a plugin keeps its contract: one line a check, with the smallest failing example.

    What to check is a component's name (with parameters as in mixup:alpha=0.4), a distribution or
    a file with all that it registers; or -p alone, and all that this plugin registers.
    """
    from augbench.plugins.registry import Registry

    files = tuple(name for name in names if name.endswith(".py"))
    registry = Registry.load((*plugins, *files), strict=strict_plugins)
    found = _targets(registry, [name for name in names if name not in files], files, plugins)
    reasons = _expected_failures(expected, len(found))
    tell_problems(registry)

    reports = []
    for kind, spec in found:
        check = _checker(kind, registry, data_root, download, _SECONDS / len(found))
        with TemporaryDirectory() as folder:
            _keep_hypothesis_in(folder)
            with contextlib.redirect_stdout(sys.stderr):  # what a plugin prints is no result
                reports.append(check(spec, expected_failures=reasons))
        if not as_json:
            _print(reports[-1])
    if as_json:
        click.echo(json.dumps([report.to_json() for report in reports], indent=2))
    failed = [report.name for report in reports if not report.ok]
    if failed:
        raise ContractError(
            f"{len(failed)} of {len(reports)} checked do not conform: {', '.join(failed)}"
        )


def _targets(
    registry: Registry, names: Sequence[str], files: Sequence[str], plugins: Sequence[str]
) -> _Found:
    """Every component to check, as (kind, spec)."""
    found: _Found = []
    for name in names:
        found += _of_name(registry, name)
    named = [text for text in plugins if not text.startswith("no:")]
    if files or (named and not names):
        origins = registry.arguments
        owners = [plugin for plugin in registry.plugins if plugin.origin in origins]
        found += [one for plugin in owners for one in registry.registered(plugin)]
    checked = [one for one in found if one[0] != "executor"]
    if found and not checked:
        raise UsageError("there is nothing to check: executors have no checks")
    if not found:
        if not names and not files and not named:
            raise UsageError("name what to check: a component, a distribution, or a file.py")
        raise UsageError("there is nothing to check: the plugin registers no component")
    return list(dict.fromkeys(checked))


def _of_name(registry: Registry, name: str) -> _Found:
    """The components of that name, of any kind, or else all that a distribution of it registers."""
    found: _Found = []
    for kind in WORDS:
        try:
            registry.info(kind, name)
        except UnknownNameError:
            continue
        found.append((kind, name))
    if found:
        return found
    for plugin in registry.plugins:
        if name in (plugin.distribution, plugin.name):
            if plugin.status == "failed":
                raise PluginError(f"plugin {plugin.name!r} failed to load: {plugin.reason}")
            found += registry.registered(plugin)
    if not found:
        raise _unknown(registry, name)
    return found


def _unknown(registry: Registry, name: str) -> UnknownNameError:
    known = {f"{WORDS[kind]}s": registry.names(kind) for kind in WORDS}
    known["distributions"] = tuple(sorted({plugin.distribution for plugin in registry.plugins}))
    near = suggestion(name.partition(":")[0], [one for names in known.values() for one in names])
    there = "; ".join(f"{what}: {', '.join(names) or 'none'}" for what, names in known.items())
    failed = "".join(f" ({problem})" for problem in registry.problems if "failed" in problem)
    return UnknownNameError(f"there is no {name!r}{near} ({there}){failed}")


def _expected_failures(texts: Sequence[str], components: int) -> dict[str, str]:
    reasons = {}
    for text in texts:
        check, equals, reason = text.partition("=")
        if not equals:
            raise UsageError(f"--expect-failure: expected CHECK=REASON, got {text!r}")
        reasons[check.strip()] = reason.strip()
    if reasons and components > 1:
        raise UsageError("--expect-failure is for one component: name the one that is meant")
    return reasons


def _checker(
    kind: Kind, registry: Registry, data_root: Path | None, download: bool, seconds: float
) -> Callable[..., ConformanceReport]:
    try:
        from augbench.testing import (
            check_augmentation,
            check_backbone,
            check_corruption,
            check_dataset,
        )
    except ImportError as error:
        raise UsageError(str(error)) from None
    if kind == "augmentation":
        return partial(check_augmentation, registry=registry, seconds=seconds)
    if kind == "corruption":
        return partial(check_corruption, registry=registry, seconds=seconds)
    if kind == "backbone":
        return partial(check_backbone, registry=registry)

    from augbench.datasets.named import data_root as default_root

    root = default_root(data_root)
    return partial(check_dataset, registry=registry, root=root, download=download)


def _keep_hypothesis_in(folder: str) -> None:
    """Keep Hypothesis from leaving a folder of its own in the working directory."""
    from hypothesis.configuration import set_hypothesis_home_dir

    set_hypothesis_home_dir(folder)


_COLOURS = {"passed": "green", "skipped": "bright_black", "expected failure": "yellow"}


def _print(report: ConformanceReport) -> None:
    title, *lines = map(shown, str(report).splitlines())
    click.secho(title, bold=True, file=sys.stdout)
    for line, result in zip(lines, report.results, strict=True):
        colour = _COLOURS.get(result.status, "red")
        styled = line.replace(result.status, click.style(result.status, fg=colour), 1)
        click.echo(styled, file=sys.stdout)
