"""`augbench run`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from augbench.api import ENGINES, Options, execute, plan
from augbench.cli._shared import Sizes, data_options, out_option, plugin_options
from augbench.errors import CellsFailedError
from augbench.protocol.study import SAMPLES_PER_CLASS, Settings

__all__ = ["run_command"]

_DEFAULTS = Settings()
_TEST_EVERY = 500


@click.command("run")
@click.option(
    "--aug",
    "augmentations",
    multiple=True,
    default=("collage", "mixup"),
    show_default=True,
    metavar="SPEC",
    help="Augmentation, with parameters as in mixup:alpha=0.4; `all` for every installed one. "
    "Repeatable; the baseline `none` is always compared.",
)
@click.option("--no-baseline", is_flag=True, help="Leave the baseline `none` out.")
@click.option(
    "--pre-train-dataset",
    "pretrain_datasets",
    multiple=True,
    default=("glyph-digits",),
    show_default=True,
    metavar="SPEC",
    help="Data set to pretrain on. Repeatable: every pair is studied.",
)
@click.option(
    "--finetune-dataset",
    "finetune_datasets",
    multiple=True,
    default=("glyph-letters",),
    show_default=True,
    metavar="SPEC",
    help="Data set to finetune the head on, and to measure. Repeatable.",
)
@click.option(
    "--samples-per-class",
    type=Sizes(),
    default=SAMPLES_PER_CLASS,
    metavar="N,N,…",
    help="Pretraining images per class.  [default: 1,2,4,8,16,32,64]",
)
@click.option(
    "--finetune-samples-per-class",
    type=int,
    default=_DEFAULTS.finetune_samples_per_class,
    show_default=True,
    help="Finetuning images per class.",
)
@click.option("--seeds", type=int, default=8, show_default=True, help="Repetitions of it all.")
@click.option(
    "--ruler",
    "ruler_sizes",
    type=Sizes(),
    default=(),
    metavar="N,N,…",
    help="Further sizes for the baseline alone, to read label multipliers against.",
)
@click.option("--references", is_flag=True, help="Add the floor and the ceiling of every curve.")
@click.option("--backbone", default="convnet", show_default=True, metavar="SPEC")
@click.option(
    "--batch-size", type=int, default=_DEFAULTS.batch_size, show_default=True, help="Images a step."
)
@click.option(
    "--n-batches-pre-train",
    "pretrain_steps",
    type=int,
    default=_DEFAULTS.pretrain_steps,
    show_default=True,
    help="Steps of pretraining.",
)
@click.option(
    "--n-batches-finetune",
    "finetune_steps",
    type=int,
    default=_DEFAULTS.finetune_steps,
    show_default=True,
    help="Steps of finetuning.",
)
@click.option(
    "--lr",
    "learning_rate",
    type=float,
    default=_DEFAULTS.learning_rate,
    show_default=True,
    help="Learning rate of SGD.",
)
@click.option(
    "--root-seed",
    type=int,
    default=_DEFAULTS.root_seed,
    show_default=True,
    help="Root of all random streams.",
)
@click.option(
    "--test-during-training",
    is_flag=True,
    help=f"Measure on the test set every {_TEST_EVERY} batches of both trainings.",
)
@click.option("--plot-train-curves", is_flag=True, help="Draw the training curves of every cell.")
@click.option("--plot-augmentations", is_flag=True, help="First draw what the augmentations do.")
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="auto",
    show_default=True,
    help="Train cells together (packed) or one by one (reference).",
)
@click.option("--workers", type=int, help="Worker processes; 0 for none.  [default: one per core]")
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help="cpu, cuda, cuda:1, mps; auto: a GPU if any.",
)
@out_option("Folder of the store and the figures.")
@click.option("--dry-run", is_flag=True, help="Show the plan and its size; compute nothing.")
@data_options
@plugin_options
def run_command(
    *,
    no_baseline: bool,
    out: Path,
    dry_run: bool,
    test_during_training: bool,
    plot_train_curves: bool,
    plot_augmentations: bool,
    augmentations: tuple[str, ...],
    pretrain_datasets: tuple[str, ...],
    finetune_datasets: tuple[str, ...],
    samples_per_class: tuple[int, ...],
    finetune_samples_per_class: int,
    seeds: int,
    ruler_sizes: tuple[int, ...],
    references: bool,
    backbone: str,
    batch_size: int,
    pretrain_steps: int,
    finetune_steps: int,
    learning_rate: float,
    root_seed: int,
    engine: str,
    workers: int | None,
    device: str,
    data_root: Path | None,
    download: bool,
    plugins: tuple[str, ...],
    strict_plugins: bool,
) -> None:
    """Run a study: which augmentation helps at which number of labels?

    Every augmentation × samples per class × seed × pair of data sets is a cell: the backbone is
    pretrained under the augmentation, frozen, and a linear head finetuned and tested. Cells that
    the store in --out already holds are not computed again.
    """
    options = Options(
        augmentations=augmentations,
        pretrain_datasets=pretrain_datasets,
        finetune_datasets=finetune_datasets,
        samples_per_class=samples_per_class,
        seeds=seeds,
        backbone=backbone,
        settings=Settings(
            batch_size=batch_size,
            pretrain_steps=pretrain_steps,
            finetune_steps=finetune_steps,
            learning_rate=learning_rate,
            finetune_samples_per_class=finetune_samples_per_class,
            root_seed=root_seed,
        ),
        baseline=not no_baseline,
        ruler_sizes=ruler_sizes,
        references=references,
        test_every=_TEST_EVERY if test_during_training else 0,
        engine=engine,
        workers=workers,
        device=device,
        out=out,
        data_root=data_root,
        download=download,
        plugins=plugins,
        strict_plugins=strict_plugins,
        command=shlex.join(["augbench", *sys.argv[1:]]),
    )
    planned = plan(options)

    from augbench.cli._live import Live, print_plan
    from augbench.reports.terminal import print_results

    for problem in planned.registry.problems:
        click.echo(f"warning: {problem}", err=True)
    if dry_run:
        print_plan(planned)
        return
    if plot_augmentations:
        from augbench.pictures.drawing import preview

        for dataset in {info.content_hash: info for info, _ in planned.study.pairs}:
            images = planned.load(dataset)
            for path in preview(planned.registry, planned.study.augmentations, images, out):
                click.echo(f"drew {path}")
    with Live() as live:
        result = execute(planned, live)
    print_results(result)

    from augbench.pictures.archive import pictures_of
    from augbench.pictures.making import keep_pictures
    from augbench.reports.figures import update_figures

    keep_pictures(planned.registry, planned.study, planned.load, out)
    pictures = pictures_of(out, result.stored.description)
    for line in update_figures(result, out, train_curves=plot_train_curves, pictures=pictures):
        click.echo(line)
    click.echo(f"for one page to read and send: {_page_hint(out)}")
    if result.failed:
        raise CellsFailedError(
            f"{len(result.failed)} of {len(result.cells)} cells failed, the first with "
            f"{result.failed[0].result.error if result.failed[0].result else 'no result'}; "
            "the others are stored, and running again retries the failed ones"
        )


def _page_hint(out: Path) -> str:
    """The command that makes the HTML report of what was just computed."""
    return shlex.join(["augbench", "report", "--out", str(out), "--html", str(out / "report.html")])
