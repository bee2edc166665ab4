"""`augbench list`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from augbench.cli._shared import plugin_options, tell_problems

if TYPE_CHECKING:
    from augbench.plugins.components import Kind

__all__ = ["list_command"]

_KINDS: dict[str, Kind] = {
    "augmentations": "augmentation",
    "backbones": "backbone",
    "datasets": "dataset",
    "executors": "executor",
    "corruptions": "corruption",
}


@click.command("list")
@click.argument("kind", type=click.Choice(list(_KINDS)))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plugin_options
def list_command(kind: str, as_json: bool, plugins: tuple[str, ...], strict_plugins: bool) -> None:
    """List what is installed, with parameters and their defaults."""
    from augbench.plugins.registry import Registry

    registry = Registry.load(plugins, strict=strict_plugins)
    infos = registry.describe(_KINDS[kind])
    if as_json:
        click.echo(json.dumps([asdict(info) for info in infos], indent=2, default=str))
        return

    from rich.table import Table

    from augbench.reports.console import Console, plain

    table = Table()
    for column in ("name", "parameters", "what", "from"):
        table.add_column(column, overflow="fold", no_wrap=column in ("name", "parameters"))
    for info in infos:
        parameters = "\n".join(f"{p.name}: {p.type} = {p.default}" for p in info.parameters) or "–"
        what = info.summary if info.status == "ok" else f"cannot be used: {info.reason}"
        source = f"{info.distribution} {info.version}".strip()
        table.add_row(*map(plain, (info.name, parameters, what, source)))
    Console().print(table)
    tell_problems(registry)
