"""`augbench run`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from augbench.cli._ignored import refuse_beside, several_datasets
from augbench.cli._shared import (
    GroupedCommand,
    figure_width_option,
    full_option,
    given_options,
    json_option,
    study_options,
    tell_problems,
    tell_warnings,
)
from augbench.cli._streams import echo, has_working_directory, write_text
from augbench.errors import CellsFailedError, OptionError, UsageError
from augbench.text import encodable

if TYPE_CHECKING:
    from augbench.api import Plan
    from augbench.results import StudyResult

__all__ = ["run_command"]

_ARCHIVES = frozenset({".zip", ".tar", ".tgz", ".gz", ".7z", ".rar"})


@click.command("run", cls=GroupedCommand)
@click.argument(
    "named",
    nargs=-1,  # so that too many are told in one line
    type=click.Path(path_type=Path),
    metavar="[FOLDER|STUDY.toml]",
)
@study_options()
@click.option(
    "--save-study",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the study to a file, for `augbench run FILE`; with --dry-run, compute nothing.",
)
@click.option("--plot-train-curves", is_flag=True, help="Draw the training curves of every cell.")
@figure_width_option
@click.option("--plot-augmentations", is_flag=True, help="First draw what the augmentations do.")
@click.option(
    "--dry-run", is_flag=True, help="Show the plan, what it can find and its time; compute nothing."
)
@click.option(
    "--time", "time_it", is_flag=True, help="With --dry-run, train some steps to tell the time."
)
@full_option
@click.option("--verbose", is_flag=True, help="Also say how packs were trained, and every file.")
@click.option("--no-figures", is_flag=True, help="Draw no figures.")
@json_option
@click.pass_context
def run_command(
    context: click.Context,
    /,
    *,
    named: tuple[Path, ...],
    save_study: Path | None,
    plot_train_curves: bool,
    figure_width: str | None,
    plot_augmentations: bool,
    dry_run: bool,
    time_it: bool,
    full: bool,
    verbose: bool,
    no_figures: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Run a study: which augmentation helps at which number of labels?

    Every arm × samples per class × seed × pair of data sets is a cell: the backbone is
    pretrained under the arm's augmentations, frozen, and a linear head finetuned and tested.
    Cells that the store in --out already holds are not computed again.

    FOLDER holds your own images, one folder a class: what is not given is chosen to fit them, and
    said. STUDY.toml is a file of these options, as --save-study writes it; an option that is given
    here wins over the file.

    \b
    Examples:
      augbench run --aug collage,mixup
      augbench run --aug all --seeds 12 --samples-per-class 4,16,64
      augbench run --pre-train-dataset mnist --finetune-dataset emnist
    """
    if time_it and not dry_run:
        raise click.UsageError("--time is for --dry-run; without it, the study itself is timed")
    if as_json:
        refuse_beside("--json", "prints everything as one object", ["full"])
    if no_figures:
        refuse_beside("--no-figures", "draws nothing", ["plot_train_curves", "figure_width"])
    study = _one_of(named)
    folder = _folder(given, study)
    if folder is not None:
        given["dataset"], study = folder, None
        context.set_parameter_source("dataset", ParameterSource.COMMANDLINE)
    options = given_options(context, given, study)

    from augbench.api import check_machine, execute, plan
    from augbench.cli._forecast import expected_lines
    from augbench.cli._live import Live, print_plan
    from augbench.pictures.archive import pictures_of
    from augbench.registration import registered_line
    from augbench.reports.drawing import Artists
    from augbench.reports.figures import update_figures, width_of_figures
    from augbench.reports.objects import json_text, result_object
    from augbench.reports.terminal import print_report, where_line
    from augbench.running.pictures import Gallery

    if dry_run and as_json:
        raise UsageError("--json is for results: leave it out, or --dry-run")

    planned = plan(options)
    tell_problems(planned.registry)
    if save_study is not None:
        planned.save(save_study)
        echo(f"saved the study to {save_study}", err=as_json)
    for line in planned.choices:
        echo(line, err=True)
    tell_warnings(planned.warnings)
    if dry_run:
        check_machine(planned)
        print_plan(planned)
        for line in expected_lines(planned, time_it=time_it):
            echo(line)
        return
    written = _draw_augmentations(planned, quiet=as_json) if plot_augmentations else []
    with Artists() as artists:

        def get_ready() -> None:
            """Load what the end of the run takes, while this process has nothing else to do."""
            if not no_figures:
                artists.start()
            import scipy.special  # noqa: F401 - statistics load it when they need it

        with Gallery(planned) as gallery, Live(verbose=verbose, on_dealt=get_ready) as live:
            command = encodable(shlex.join(["augbench", *sys.argv[1:]]))
            result = execute(planned, live, command=command, gallery=gallery)
        if not has_working_directory() and options.out.is_absolute():
            os.chdir(options.out)  # where there is none, matplotlib cannot be loaded
        pictures = pictures_of(options.out, result.stored.description)
        width = figure_width or width_of_figures(result, options.out)
        if live.ended and not no_figures:
            artists.begin(result, train_curves=plot_train_curves, pictures=pictures, width=width)
        registered = registered_line(result, options.out)
        if not as_json:
            print_report(result, full=full, registered=registered)
        if gallery.problem:
            echo(f"warning: {gallery.problem}", err=True)
        lines: list[str] = []
        if not no_figures:
            lines = update_figures(
                result,
                options.out,
                train_curves=plot_train_curves,
                pictures=pictures,
                draw=artists.draw,
                width=width,
            )
    if as_json:
        content = result_object(result, written=[*written, *artists.written], registered=registered)
        write_text(json_text("run", content) + "\n")
    else:
        for line in lines if verbose else ():
            echo(line)
        echo(where_line(result, options.out, full=full, figures=not no_figures))
    _raise_if_not_whole(result)


def _one_of(arguments: Sequence[Path]) -> Path | None:
    """The argument, if any; raises `UsageError` for several."""
    if len(arguments) > 1:
        names = [str(one) for one in arguments]
        remedy = "give the command for each"
        if all(map(os.path.isdir, names)):
            remedy = several_datasets(names)
        raise UsageError(
            f"expected one folder or study file, got {len(names)}, {' and '.join(names)}: {remedy}"
        )
    return arguments[0] if arguments else None


def _folder(given: dict[str, Any], argument: Path | None) -> str | None:
    """The folder of images that the argument names; None for a study file. Raises `OptionError`."""
    if argument is None:
        return None
    text = str(argument)
    from augbench.store import FILE_NAME

    # os.path says False of a name that is too long, where pathlib raises.
    if os.path.isfile(argument / FILE_NAME):
        raise OptionError(
            f"{text} is the folder of a run, with its store; for what it holds: augbench report "
            f"{text}; a run needs a folder of images or a study file, if any"
        )
    if os.path.isdir(argument) or _is_folder_with_parameters(text):
        if given["dataset"] is not None:  # perhaps to say more of the same folder
            dataset = str(given["dataset"])
            if os.path.normpath(dataset.partition(":")[0]) == os.path.normpath(text):
                return dataset
            raise OptionError(f"give either {text} or --dataset {dataset}, not both")
        # A path, even where a data set has its name.
        return text if argument.is_absolute() or text.startswith((".", "~")) else f"./{text}"
    if argument.suffix.lower() in _ARCHIVES and os.path.isfile(argument):
        raise OptionError(f"{text} is an archive: unpack it, and name the folder of images")
    if not os.path.exists(argument) and argument.suffix != ".toml":
        raise OptionError(
            f"there is no folder or study file {text}: expected a folder of images with one folder "
            f"a class, or a study file of TOML; options begin with --, as in --dataset {text} or "
            f"--aug {text}"
        )
    return None


def _is_folder_with_parameters(text: str) -> bool:
    path, colon, _ = text.rpartition(":")
    return bool(colon) and os.path.isdir(path)


def _draw_augmentations(planned: Plan, *, quiet: bool) -> list[Path]:
    from augbench.datasets.named import data_root
    from augbench.pictures.drawing import draw_previews
    from augbench.pictures.making import Asked
    from augbench.running.pictures import pictures

    wanted = [
        (pipeline.label, pipeline, planned.datasets[dataset])
        for dataset in dict.fromkeys(info.content_hash for info, _ in planned.study.pairs)
        for pipeline in dict.fromkeys(arm.pipeline for arm in planned.study.arms)
    ]
    root = data_root(planned.options.data_root)
    asked = Asked(planned.registry.arguments, wanted, root, columns=10, gallery=False)
    paths = []
    for path in draw_previews((picture for _, picture in pictures(asked)), planned.options.out):
        echo(f"drew {path}", err=quiet)
        paths.append(path)
    return paths


def _raise_if_not_whole(result: StudyResult) -> None:
    """Raise `CellsFailedError` for cells that failed, or that are not there."""
    # Data sets of one content share cells, as a default that is chosen and its result do.
    cells = len({cell.key for cell in result.all_cells})
    if failed := {cell.key: cell for cell in result.failed}:
        results = [cell.result for cell in failed.values() if cell.result is not None]
        lost = sum(one.failure != "error" for one in results)
        again = "running again tries them again"
        if lost:
            again += f", but for {lost} that crashed or timed out: `augbench retry` has them tried"
        raise CellsFailedError(
            f"{len(failed)} of {cells} cells failed, the first with "
            f"{results[0].error if results else 'no result'}; the others are stored, and {again}"
        )
    if missing := len({cell.key for cell in result.missing}):
        raise CellsFailedError(f"{missing} of {cells} cells have no result; run again")
