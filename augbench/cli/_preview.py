"""`augbench preview`."""

from __future__ import annotations

from pathlib import Path

import click

from augbench.cli._completion import complete_dataset
from augbench.cli._ignored import GivenOnce
from augbench.cli._shared import (
    data_options,
    out_option,
    plugin_options,
    study_options,
    tell_problems,
    tell_warnings,
)
from augbench.cli._streams import echo
from augbench.options import Options

__all__ = ["preview_command"]


@click.command("preview")
@study_options(
    "augmentations", help="Augmentations to draw, with parameters as in mixup:alpha=0.4."
)
@click.option(
    "--dataset",
    cls=GivenOnce,
    default=Options.pretrain_datasets[0],
    show_default=True,
    metavar="SPEC",
    shell_complete=complete_dataset,
)
@click.option("--columns", type=click.IntRange(1, 40), default=10, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@out_option("Folder of the figures.")
@data_options
@plugin_options
def preview_command(
    augmentations: tuple[str, ...],
    dataset: str,
    columns: int,
    seed: int,
    out: Path,
    data_root: Path | None,
    download: bool,
    plugins: tuple[str, ...],
    strict_plugins: bool,
) -> None:
    """Draw what augmentations do: originals above, results below, the weights as captions."""
    from augbench.datasets.named import data_root as root_of
    from augbench.datasets.naming import short_names
    from augbench.pictures.drawing import draw_previews
    from augbench.pictures.making import Asked
    from augbench.plugins.registry import Registry
    from augbench.proposing.folders import completed_spec
    from augbench.running.inspecting import inspected
    from augbench.running.pictures import pictures

    registry = Registry.load(plugins, strict=strict_plugins)
    tell_problems(registry)
    component = registry.resolve("dataset", completed_spec(dataset, registry))
    wanted = [
        (pipeline.label, pipeline, component)
        for spec in augmentations
        for pipeline in registry.pipelines(spec)
    ]
    asked = Asked(
        registry.arguments,
        wanted,
        root_of(data_root),
        download,
        columns=columns,
        seed=seed,
        gallery=False,
    )
    info = inspected(registry, component, root_of(data_root), download=download)
    tell_warnings(info.called(short_names([component])[info.name]).warnings)
    for path in draw_previews((picture for _, picture in pictures(asked)), out):
        echo(f"drew {path}")
