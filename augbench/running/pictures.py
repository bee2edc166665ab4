"""Pictures of what augmentations do, made in a process of their own while the study is trained."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Self

from augbench.datasets.named import data_root
from augbench.errors import AugbenchError
from augbench.executors.contract import Errand
from augbench.executors.isolated import ChildEndedError, Isolated
from augbench.pictures.archive import Picture, add_pictures
from augbench.pictures.making import Asked, missing_pictures, without_images
from augbench.running.plan import Plan

__all__ = ["Gallery", "pictures"]

_MAKE = "augbench.pictures.making:make_pictures"


def pictures(asked: Asked) -> Iterator[tuple[str, Picture]]:
    """Yield each picture that is asked for, with its key, made in a child process.

    Where an augmentation ends that process, its picture says so, and the others are made.
    Raises the `AugbenchError` that keeps a data set from being loaded.
    """
    left = list(asked.wanted)
    while left:
        try:
            with Isolated(_MAKE, replace(asked, wanted=left)) as child:
                for key, picture in child.answers():
                    left.pop(0)
                    yield key, picture
        except ChildEndedError as error:
            if error.place is None or error.place.dataset:
                raise
            key, pipeline, dataset = left.pop(0)
            yield key, without_images(dataset.label, pipeline, str(error))


class Gallery:
    """Makes the pictures that a study's folder lacks while the study is computed; a context.

    A worker that has nothing left to train makes them as its `errand`. Where none does, or one did
    not come to the end, they are made in a process of their own. A picture is never worth a study:
    what goes wrong is told by `problem`, and no more.
    """

    def __init__(self, plan: Plan) -> None:
        self._folder, self.problem = plan.options.out, ""
        self._stopped = threading.Event()
        self._asked = Asked(
            plan.registry.arguments,
            missing_pictures(plan.study, plan.datasets, plan.options.out),
            data_root(plan.options.data_root),
        )
        self._made: dict[str, Picture] = {}
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.finish()
        else:
            self._stopped.set()

    @property
    def errand(self) -> Errand | None:
        """The errand of a worker; None if no picture is missing."""
        asked = self._left
        return Errand(_MAKE, asked) if asked.wanted else None

    def take(self, answer: tuple[str, Picture]) -> None:
        """Take what the worker has answered."""
        key, picture = answer
        self._made[key] = picture

    def start(self) -> None:
        """Make the pictures in a process of their own, from now on."""
        if self._thread is None and self._asked.wanted:
            self._thread = threading.Thread(target=self._make, daemon=True)
            self._thread.start()

    def finish(self) -> None:
        """Make what is missing still, and keep the pictures in the study's folder."""
        if self._left.wanted:
            self.start()
        if self._thread is not None:
            self._thread.join()
        made, self._made = self._made, {}
        self._asked = replace(self._asked, wanted=())
        try:
            if made:
                add_pictures(self._folder, made)
        except AugbenchError as error:
            self._tell(error)

    @property
    def _left(self) -> Asked:
        wanted = [one for one in self._asked.wanted if one[0] not in self._made]
        return replace(self._asked, wanted=wanted)

    def _make(self) -> None:
        try:
            for key, picture in pictures(self._left):
                if self._stopped.is_set():
                    return
                self._made[key] = picture
        except AugbenchError as error:
            self._tell(error)

    def _tell(self, error: AugbenchError) -> None:
        self.problem = f"pictures of augmentations are missing: {error}"
