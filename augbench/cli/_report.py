"""`augbench report`."""

from __future__ import annotations

from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from augbench.cli._ignored import refuse_beside
from augbench.cli._shared import (
    figure_width_option,
    folder_of_run,
    full_option,
    json_option,
    study_options,
    tell_warnings,
)
from augbench.cli._streams import echo, write_text
from augbench.errors import UsageError
from augbench.protocol.readouts import READOUTS
from augbench.results import StudyResult, find_view
from augbench.store import Store, StoredStudy

__all__ = ["report_command"]

_OF_FIGURES = ("figure_width", "plot_train_curves")
_OF_THE_REPORT = ("against", "html", "full", *_OF_FIGURES, "as_json")
_VIEW = ("metric", "readout", "finetune_samples", "tuned", "confidence")
_OF_ONE_STUDY = ("study", *_VIEW, "pairwise", *_OF_THE_REPORT)


@click.command("report")
@folder_of_run
@click.option("--study", type=int, help="Number of the study.  [default: the latest]")
@study_options("metric", help="What verdicts, tables and figures are about.")
@click.option(
    "--readout",
    type=click.Choice(list(READOUTS)),
    help="The readout that it is about.  [default: the study's first]",
)
@click.option(
    "--finetune-samples",
    type=int,
    help="The finetuning images of each class that it is about.  [default: the most]",
)
@click.option(
    "--tuned/--default",
    default=None,
    help="Whether it is about tuned results.  [default: tuned, where the study is]",
)
@click.option(
    "--against",
    metavar="ARM",
    help="Compare every arm with this one, in the place of the baseline; exploratory.",
)
@click.option(
    "--pairwise",
    is_flag=True,
    help="Compare any two arms, all pairs corrected together; exploratory. Draws no figures.",
)
@click.option("--list", "list_studies", is_flag=True, help="List the studies of the store.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write everything into one page that needs no network.",
)
@click.option(
    "--confidence",
    type=float,
    default=0.95,
    show_default=True,
    help="Confidence of all intervals, between 0 and 1.",
)
@full_option
@click.option("--no-figures", is_flag=True, help="Draw no figures.")
@figure_width_option
@click.option("--plot-train-curves", is_flag=True, help="Draw the training curves of every cell.")
@json_option
def report_command(
    out: Path,
    study: int | None,
    metric: str,
    readout: str | None,
    finetune_samples: int | None,
    tuned: bool | None,
    against: str | None,
    pairwise: bool,
    list_studies: bool,
    html: Path | None,
    confidence: float,
    full: bool,
    no_figures: bool,
    figure_width: str | None,
    plot_train_curves: bool,
    as_json: bool,
) -> None:
    """Say what a study found, from its store in the folder DIR, without training.

    Prints the answer, or with --full every verdict in words and the tables of means, and draws the
    figures into the folder of the run.

    \b
    Examples:
      augbench report
      augbench report results --full --no-figures
      augbench report results --html report.html --metric nll
    """
    if list_studies:
        refuse_beside("--list", "lists the studies of the store and says no more", _OF_ONE_STUDY)
    if pairwise:
        refuse_beside("--pairwise", "prints a table of its own", _OF_THE_REPORT)
    if as_json:
        refuse_beside("--json", "prints everything as one object", ["full"])
    if no_figures:
        refuse_beside("--no-figures", "draws nothing", _OF_FIGURES)
    if against is not None:
        refuse_beside("--against", "leaves the figures as they are", _OF_FIGURES)
    if not 0 < confidence < 1:
        raise UsageError(f"--confidence: expected a share between 0 and 1, got {confidence:g}")
    if html is not None and not html.parent.is_dir():
        raise UsageError(
            f"--html: there is no folder {str(html.parent)!r} for {html.name!r}; make it, "
            "or name another"
        )
    with Store.read(out) as store:
        if list_studies:
            _list(store)
            return
        stored = store.study(study)
        view = find_view(
            StudyResult(stored).views,
            readout=readout,
            finetune_samples=finetune_samples,
            tuned=tuned,
            usual=stored.description["settings"]["finetune_samples_per_class"],
        )
        result = StudyResult(stored, metric=metric, in_view=view, against=_arm(stored, against))
        folder = store.path.parent

    if pairwise:
        from augbench.reports.pairwise import print_pairs

        print_pairs(result, confidence=confidence)
        return
    written: list[Path] = []
    from augbench.registration import registered_line

    registered = registered_line(result, folder)
    if not as_json:
        from augbench.reports.terminal import print_report

        print_report(result, confidence=confidence, full=full, registered=registered)
        if result.other_studies:
            echo(result.other_studies)
    # Figures in the folder are about the study's own baseline.
    no_figures = no_figures or result.baseline != result.own_baseline
    if html is not None or not no_figures:
        from augbench.pictures.archive import damage, pictures_of

        tell_warnings(filter(None, [damage(folder)]))
        pictures = pictures_of(folder, result.stored.description)
    if html is not None:
        from augbench.reports.page import save_page

        save_page(result, html, pictures=pictures, confidence=confidence, registered=registered)
        written.append(html)
        if not as_json:
            echo(f"wrote {html}")
    if not no_figures:
        from augbench.reports.figures import save_figures, update_figures

        def draw(*study: Any, **how: Any) -> list[Path]:
            paths = save_figures(*study, **how)
            written.extend(paths)
            return paths

        lines = update_figures(
            result,
            folder,
            train_curves=plot_train_curves,
            pictures=pictures,
            confidence=confidence,
            width=figure_width,
            draw=draw,
        )
        for line in () if as_json else lines:
            echo(line)
    if as_json:
        from augbench.reports.objects import json_text, result_object

        content = result_object(
            result, confidence=confidence, written=written, registered=registered
        )
        write_text(json_text("report", content) + "\n")


def _arm(stored: StoredStudy, against: str | None) -> str | None:
    """The label of the arm that was asked for, by the name that it was given or that is shown."""
    if against is None:
        return None
    arms = {arm["label"]: arm["shown"] for arm in stored.description["arms"]}
    if against not in arms and against not in arms.values():
        close = get_close_matches(against, [*arms, *arms.values()], n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise UsageError(
            f"--against {against!r}: the study has no such arm{hint} (expected one of "
            f"{', '.join(arms.values())})"
        )
    return str(arms.get(against, against))


def _list(store: Store) -> None:
    """One line a study, the latest last."""
    for number, description, command, last_run_at in store.studies():
        pairs = ", ".join(f"{pretrain} → {finetune}" for pretrain, finetune in description["pairs"])
        arms = ", ".join(arm["shown"] for arm in description["arms"])
        when = datetime.fromtimestamp(last_run_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        named = description.get("primary_budget")
        primary = f"; primary: {named}" if named else ""
        echo(f"{number}: {pairs}: {arms}; {description['seeds']} seeds{primary}; last run {when}")
        if command:
            echo(f"   {command}")
