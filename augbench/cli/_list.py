"""`augbench list`."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
        tell_problems(registry)
        return

    from rich.table import Table

    from augbench.reports.console import Console, plain

    console, table = Console(), Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    room = console.width - 2 - max((len(info.name) for info in infos), default=0)
    for info in infos:
        what = info.summary if info.status == "ok" else f"cannot be used: {info.reason}"
        source = f"{info.distribution} {info.version}".strip()
        name, told = plain(info.name), f"{plain(what)} [dim]({plain(source)})[/dim]"
        table.add_row(f"[bold]{name}[/bold]", told)
        parameters = [f"{one.name}: {one.type} = {one.default}" for one in info.parameters]
        for line in _packed(parameters, room):
            table.add_row("", plain(line))
    console.print(table)
    tell_problems(registry)


def _packed(parts: Sequence[str], width: int) -> list[str]:
    """Parts between commas, on lines of that width: none is broken that fits on one."""
    lines: list[str] = []
    for number, part in enumerate(parts, 1):
        text = part if number == len(parts) else f"{part},"
        if lines and len(lines[-1]) + 1 + len(text) <= width:
            lines[-1] += f" {text}"
        else:
            lines.append(text)
    return lines
