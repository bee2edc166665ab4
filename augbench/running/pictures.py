"""Pictures of what augmentations do, made in a process of their own while the study is trained."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Self

from augbench.datasets.named import data_root
from augbench.errors import AugbenchError
from augbench.executors.isolated import ChildEndedError, Isolated
from augbench.pictures.archive import Picture, add_pictures
from augbench.pictures.making import Asked, missing_pictures, without_images
from augbench.running.plan import Plan

__all__ = ["Gallery", "pictures"]


def pictures(asked: Asked) -> Iterator[tuple[str, Picture]]:
    """Yield each picture that is asked for, with its key, made in a child process.

    Where an augmentation ends that process, its picture says so, and the others are made.
    Raises the `AugbenchError` that keeps a data set from being loaded.
    """
    left = list(asked.wanted)
    while left:
        try:
            with Isolated(
                "augbench.pictures.making:make_pictures", replace(asked, wanted=left)
            ) as child:
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

    A picture is never worth a study: what goes wrong is told by `problem`, and no more.
    """

    def __init__(self, plan: Plan) -> None:
        self._folder, self.problem = plan.options.out, ""
        self._stopped = threading.Event()
        self._asked = Asked(
            plan.registry.arguments,
            missing_pictures(plan.study, plan.datasets, plan.options.out),
            data_root(plan.options.data_root),
        )
        self._thread = threading.Thread(target=self._make, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._thread.join()
        else:
            self._stopped.set()

    def _make(self) -> None:
        made: dict[str, Picture] = {}
        try:
            for key, picture in pictures(self._asked):
                made[key] = picture
                if self._stopped.is_set():
                    return
            if made and not self._stopped.is_set():  # who stopped may be somewhere else by now
                add_pictures(self._folder, made)
        except AugbenchError as error:
            self.problem = f"pictures of augmentations are missing: {error}"
