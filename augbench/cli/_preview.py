"""`augbench preview`."""

from __future__ import annotations

from pathlib import Path

import click

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
@click.option("--dataset", default=Options.pretrain_datasets[0], show_default=True, metavar="SPEC")
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
    from augbench.datasets.named import load_dataset
    from augbench.pictures.drawing import preview
    from augbench.plugins.registry import Registry

    registry = Registry.load(plugins, strict=strict_plugins)
    tell_problems(registry)
    pipelines = [one for spec in augmentations for one in registry.pipelines(spec)]
    images = load_dataset(
        registry, registry.resolve("dataset", dataset), data_root, download=download
    )
    tell_warnings(images.warnings)
    for path in preview(registry, pipelines, images, out, columns=columns, seed=seed):
        echo(f"drew {path}")
