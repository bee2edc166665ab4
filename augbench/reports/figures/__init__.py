"""The figures of all sections as files: PNG, SVG and PDF, the same bytes on every machine.

The other modules of this folder draw, with matplotlib; nothing here imports it before it is needed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from augbench.environment import version_of
from augbench.options import named
from augbench.pictures.archive import Picture
from augbench.protocol.metrics import PRIMARY
from augbench.reports import sections
from augbench.reports.sections import NamedFigure, Report, Section, view_slug
from augbench.results import Pair, StudyResult
from augbench.writing import save

__all__ = ["Part", "parts", "save_figures", "update_figures", "width_of_figures"]

_STAMP = ".figures.json"
_WIDTHS = ("page", "column")

Part = tuple[str, Pair | None]
"""A section's name, and the pair that it draws; None for its figures over the whole study."""


def save_figures(
    result: StudyResult,
    folder: Path,
    *,
    train_curves: bool = False,
    pictures: Iterable[Picture] = (),
    confidence: float = 0.95,
    part: Part | None = None,
    width: str = "page",
) -> list[Path]:
    """Draw everything that the study has results for; returns the files, PNG, SVG and PDF.

    `width` is what a figure fills in print, "column" or "page" (`augbench.plotting.WIDTHS`). The
    learning curves come first. Figures about another metric than accuracy go into a folder of
    its name inside `folder`. `pictures` are those that the store's folder keeps of the study
    (`augbench.pictures.archive`); `train_curves` adds a PNG for every computed cell. With a `part`,
    only its figures are drawn. Raises `StoreError` if the folder cannot be written.
    """
    from augbench.plotting import FileNames, save_figure, style

    shown = tuple(pictures) if result.primary is PRIMARY else ()  # once is enough
    report = Report(result, confidence, shown, train_curves)
    paths, names, folder = [], FileNames(), _own_folder(result, folder)
    with style(width):
        for one in _figures(report, part):
            paths += save_figure(one.figure, folder / names.add(one.name), one.formats)
    return paths


def update_figures(
    result: StudyResult,
    folder: Path,
    *,
    train_curves: bool = False,
    pictures: Iterable[Picture] = (),
    confidence: float = 0.95,
    draw: Callable[..., list[Path]] = save_figures,
    width: str | None = None,
) -> list[str]:
    """Draw what `save_figures` draws unless it is there already; returns a line for each file.

    Without a `width`, it is that of the figures that are there, see `width_of_figures`.

    Where nothing has changed since the figures were drawn, nor any of their files, there is one
    line, which says so: matplotlib alone takes longer than everything else that a finished study
    needs. `draw` does the work of `save_figures`, with the same arguments.
    """
    pictures, width = list(pictures), width or width_of_figures(result, folder)
    shown = {
        "versions": [version_of(name) for name in ("augbench", "matplotlib")],
        "study": dict(result.stored.description),
        "cells": [[cell.key, cell.status, cell.finished_at] for cell in result.cells],
        "pictures": [_digest(picture) for picture in pictures],
        "options": [train_curves, confidence, width, result.metric, result.view.label],
    }
    digest = hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()
    whole, folder = folder, _own_folder(result, folder)
    earlier = _stamp(folder)
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        # Without a stamp, or with a damaged one, or where a file is gone: draw.
        if earlier["shows"] == digest and all(
            _digest_of_file(folder / name) == known for name, known in earlier["files"].items()
        ):
            return [f"the {len(earlier['files'])} figures in {folder} are up to date"]
    paths = draw(
        result,
        whole,
        train_curves=train_curves,
        pictures=pictures,
        confidence=confidence,
        width=width,
    )
    files = {str(path.relative_to(folder)): _digest_of_file(path) for path in paths}
    save(
        folder / _STAMP,
        json.dumps({"shows": digest, "width": width, "files": files}),
        hint=f"name a writable folder with {named('out')}",
    )
    return [f"drew {path}" for path in paths]


def width_of_figures(result: StudyResult, folder: Path) -> str:
    """The width at which the figures of a study in a folder were drawn last, "page" without any.

    Where there are none of its metric, that of the figures of accuracy counts.
    """
    widths = [_stamp(place).get("width") for place in (_own_folder(result, folder), folder)]
    return next((one for one in widths if one in _WIDTHS), _WIDTHS[0])


def _stamp(folder: Path) -> dict[str, Any]:
    """What is known of the figures in a folder; nothing where that is not there, or is damaged."""
    try:
        found = json.loads((folder / _STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _own_folder(result: StudyResult, folder: Path) -> Path:
    """The folder of the figures of the study's metric: those of one must not hide another's."""
    return folder if result.primary is PRIMARY else folder / result.metric


def parts(result: StudyResult) -> list[Part]:
    """The parts of a study's figures: pair by pair, then those over the whole study."""
    pairs: tuple[Pair | None, ...] = (*result.pairs, None)
    return [(one.name, pair) for pair in pairs for one in sections.SECTIONS if _draws(one, pair)]


def _draws(section: Section, pair: Pair | None) -> bool:
    """False for a section that has no such figures in any study."""
    name = "study_figures" if pair is None else "figures"
    return getattr(type(section), name) is not getattr(Section, name)


def _figures(report: Report, part: Part | None = None) -> Iterator[NamedFigure]:
    """The figures of a part, or of all of them in their order."""
    named = {section.name: section for section in sections.SECTIONS}
    for name, pair in [part] if part else parts(report.result):
        section = named[name]
        figures = section.study_figures(report) if pair is None else section.figures(report, pair)
        for one in figures:
            yield _named_by_view(section, report, one)


def _named_by_view(section: Section, report: Report, one: NamedFigure) -> NamedFigure:
    """A figure whose name tells its view from the one that a reader expects."""
    name = view_slug(report.result)
    return replace(one, name=f"{one.name}-{name}") if section.of_view and name else one


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(picture: Picture) -> str:
    words = repr((picture.augmentation, picture.captions))
    digest = hashlib.sha256(words.encode("utf-8", "surrogatepass"))
    digest.update(picture.originals.tobytes() + picture.results.tobytes())
    return digest.hexdigest()
