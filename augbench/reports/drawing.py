"""Figures drawn by processes that have loaded matplotlib before there is anything to draw.

Matplotlib takes as long to load as a figure to draw. So a run starts these processes while its
last cells train, at a low priority; once the results are there, each draws a part of the figures
at a time, and this process puts the files into their place. Until then they are in a temporary
folder: whatever ends a run, no half of a figure is left among its results.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from augbench.executors.child import Child
from augbench.executors.threads import cores, worker_environment
from augbench.options import named, spelling, written_as
from augbench.pictures.archive import Picture
from augbench.plugins.printing import Printed, tell
from augbench.reports.figures import Part, parts, save_figures
from augbench.results import StudyResult
from augbench.writing import FileNames, save

__all__ = ["Artists", "serve_figures"]

_MOST = 4
"""More processes would load matplotlib for longer than they draw."""

_NICENESS = 10
"""Of the artists' processes: while cells train, they take what is left of the processors."""


@dataclass(frozen=True)
class _Study:
    """The arguments of `save_figures` for every part."""

    result: StudyResult
    train_curves: bool
    pictures: tuple[Picture, ...]
    confidence: float
    width: str
    words: dict[str, str]


@dataclass(frozen=True)
class _Task:
    """A part to draw into a folder that is empty; its number is its place among the parts."""

    number: int
    part: Part
    folder: Path


@dataclass(frozen=True)
class _Drawn:
    """The files of a task, in the order in which they were written."""

    number: int
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class _Failed:
    """A part could not be drawn here."""


class Artists:
    """Processes that draw a study's figures; a context, at whose end they are gone.

    `start` may be called as soon as it is plain that something will be drawn, `begin` once the
    results are there; `draw` is `save_figures`, by all processes at once. Each does what those
    before it have not done.
    """

    def __init__(self, number: int | None = None) -> None:
        self._number = number or min(cores(), _MOST)
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._children: list[Child] = []
        self._place: TemporaryDirectory[str] | None = None
        self._dispatch: threading.Thread | None = None
        self._drawn: list[_Drawn] | None = None
        self.written: list[Path] = []
        """The files that `draw` has written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._dismiss()

    @property
    def processes(self) -> tuple[int, ...]:
        """The numbers of the processes that there are."""
        return tuple(child.number for child in self._children)

    def start(self) -> None:
        """Have the processes load what drawing takes."""
        serve = "augbench.reports.drawing:serve_figures"
        while len(self._children) < self._number:
            self._children.append(Child(serve, self._inbox, worker_environment()))

    def begin(
        self,
        result: StudyResult,
        *,
        train_curves: bool = False,
        pictures: Iterable[Picture] = (),
        confidence: float = 0.95,
        width: str = "page",
    ) -> None:
        """Have the figures drawn into a temporary folder, from where `draw` takes them."""
        study = _Study(result, train_curves, tuple(pictures), confidence, width, dict(spelling()))
        with contextlib.suppress(OSError):  # without a place to draw into, `draw` does it itself
            self._place = TemporaryDirectory(prefix="augbench-figures-", ignore_cleanup_errors=True)
            place = Path(self._place.name)
            self.start()
            tasks = [_Task(k, part, place / str(k)) for k, part in enumerate(parts(result))]
            for child in self._children:
                child.send(study)
            self._dispatch = threading.Thread(target=self._deal, args=(tasks,), daemon=True)
            self._dispatch.start()

    def draw(
        self,
        result: StudyResult,
        folder: Path,
        *,
        train_curves: bool = False,
        pictures: Iterable[Picture] = (),
        confidence: float = 0.95,
        width: str = "page",
    ) -> list[Path]:
        """Draw what `save_figures` draws; what was begun has to be of the same arguments.

        Where the processes cannot, for lack of a temporary folder or because one of them was ended,
        this one draws.
        """
        pictures = tuple(pictures)
        if self._dispatch is None:
            self.begin(
                result,
                train_curves=train_curves,
                pictures=pictures,
                confidence=confidence,
                width=width,
            )
        if self._dispatch is not None:
            self._dispatch.join()
        if self._drawn is None or self._place is None:
            paths = save_figures(
                result,
                folder,
                train_curves=train_curves,
                pictures=pictures,
                confidence=confidence,
                width=width,
            )
        else:
            paths = _put(self._drawn, Path(self._place.name), folder)
        self.written += paths
        self._dismiss()
        return paths

    def _deal(self, tasks: Sequence[_Task]) -> None:
        """Give each process a task, and the next one when it has drawn it."""
        waiting, found = iter(tasks), list[_Drawn]()
        for child, task in zip(list(self._children), waiting, strict=False):
            child.send(task)
        while len(found) < len(tasks):
            child, value = self._inbox.get()
            if isinstance(value, Printed):
                tell(value, "a process that draws figures")
                continue
            if not isinstance(value, _Drawn):
                return  # it failed, or has ended
            found.append(value)
            for task in islice(waiting, 1):
                child.send(task)
        self._drawn = sorted(found, key=lambda one: one.number)

    def _dismiss(self) -> None:
        """End the processes, and forget what they have drawn."""
        for child in self._children:
            child.close()
        self._children.clear()
        if self._place is not None:
            self._place.cleanup()
        self._place = self._dispatch = self._drawn = None


def _put(drawn: Iterable[_Drawn], place: Path, folder: Path) -> list[Path]:
    """Put files into the folder of figures; returns their paths there.

    Raises `StoreError` if one cannot be written.
    """
    names, paths = FileNames(), list[Path]()
    for one in drawn:
        last, name = "", ""
        for path in one.paths:
            whole = str(path.relative_to(place / str(one.number)))
            stem = whole.removesuffix(path.suffix)  # the formats of a figure follow each other
            if stem != last:
                last, name = stem, names.add(stem)
            target = folder / f"{name}{path.suffix}"
            save(target, path.read_bytes(), hint=f"name a writable folder with {named('out')}")
            paths.append(target)
    return paths


def serve_figures(messages: queue.SimpleQueue[Any], emit: Callable[[object], None]) -> None:
    """Be one of the processes: load matplotlib, then draw what is asked for."""
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(_NICENESS)
    _warm_up()
    study: _Study = messages.get()
    while True:
        task: _Task = messages.get()
        try:
            with written_as(study.words):
                paths = save_figures(
                    study.result,
                    task.folder,
                    train_curves=study.train_curves,
                    pictures=study.pictures,
                    confidence=study.confidence,
                    part=task.part,
                    width=study.width,
                )
        except Exception:  # drawn again by the parent, which tells what is wrong
            emit(_Failed())
            return
        emit(_Drawn(task.number, tuple(paths)))


def _warm_up() -> None:
    """Draw a figure that nobody sees: fonts are found and layouts made ready once a process."""
    from io import BytesIO

    import scipy.special  # noqa: F401 - statistics load it when they need it

    from augbench.plotting import FORMATS, style

    # isort: split
    from matplotlib.figure import Figure

    with style():
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        axes.plot([1, 2], [1, 2])
        axes.set_title("Aa1")
        for suffix in FORMATS:
            figure.savefig(BytesIO(), format=suffix)
