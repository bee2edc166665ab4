"""`augbench plugins`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from augbench.cli._shared import plugin_options

__all__ = ["plugins_command"]


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plugin_options
def plugins_command(as_json: bool, plugins: tuple[str, ...], strict_plugins: bool) -> None:
    """List the plugins: distribution, version, hooks, status, and the reason of a failure."""
    from augbench.plugins.registry import Registry

    found = Registry.load(plugins, strict=strict_plugins).plugins
    if as_json:
        click.echo(json.dumps([asdict(plugin) for plugin in found], indent=2))
        return

    from rich.table import Table

    from augbench.reports.console import Console, plain

    table = Table()
    for column in ("plugin", "distribution", "hooks", "status", "reason"):
        table.add_column(column, overflow="fold")
    for plugin in found:
        distribution = f"{plugin.distribution} {plugin.version}".strip()
        hooks = ", ".join(hook.removeprefix("register_") for hook in plugin.hooks)
        table.add_row(*map(plain, (plugin.name, distribution, hooks, plugin.status, plugin.reason)))
    Console().print(table)
