"""A look at a folder of photographs: its layout, its counts, and what its pictures are like.

Few pixels are looked at, so that it is quick for photographs of many megapixels. The same files
give the same answer, in whatever order a file system names them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median_low

import numpy as np

from augbench.datasets._images import header, opened, unreadable
from augbench.datasets.layout import (
    Classes,
    class_name,
    classes_in,
    expect_no_problems,
    left_out,
    part_of,
    place_of,
    subfolders,
)
from augbench.errors import DatasetError

__all__ = ["Survey", "survey", "tell_survey"]

_DEEPEST = 3
"""Folders that are gone into where each holds nothing but the next, as archives leave them."""
_PARTS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation", "dev"})
_COLOURED, _SHARE = 16, 0.01
"""A picture is coloured where the channels of so large a share of its pixels are so far apart:
a grey one that was saved as a JPEG in colour has channels within 3 levels of each other."""
_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F"})
_LOOK = 64  # pixels of a side that colours are looked for in


@dataclass(frozen=True)
class Survey:
    """A folder of class folders, as it was found.

    `place` is the folder that holds the classes, or `train/` and `test/` if it is `split` already;
    it may lie deeper than the one that was named. `train` holds the images of each class, all of
    them if it is not split, and `test` those of `test/`. `sides` is the (width, height) of every
    picture; `coloured` says whether any has colours. `others` counts the files that are no images,
    by their kind.
    """

    place: Path
    split: bool
    train: dict[str, int]
    test: dict[str, int]
    sides: tuple[tuple[int, int], ...]
    coloured: bool
    others: dict[str, int] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """All images."""
        return sum(self.train.values()) + sum(self.test.values())

    @property
    def short_side(self) -> int:
        """The median of the pictures' shorter sides, in pixels."""
        return median_low(min(sides) for sides in self.sides)


def survey(path: str) -> Survey:
    """Look at a folder of photographs; raises `DatasetError`, with a line for each problem.

    A class that is not to be split further needs one image, any other two.
    """
    place = _innermost(place_of(path))
    parts = [part_of(place, name) for name in ("train", "test")]
    split = None not in parts
    problems: list[str] = []
    if not split:
        _expect_no_half_of_a_split(place)
    folders = [one for one in parts if one is not None] if split else [place]
    found = [classes_in(folder, problems) for folder in folders]
    train, test = found if split else (found[0], {})
    problems += _unfit(place, train, test, split)
    files = [file for part in found for group in part.values() for file in group]
    sides, coloured = _looked_at(files, problems)
    if problems:
        # A header may be whole where the rest is not; reading it all takes a while.
        problems += [line for line in unreadable(files) if line not in problems]
    expect_no_problems(problems)
    counts = [{name: len(group) for name, group in part.items()} for part in (train, test)]
    others = _kinds([file for folder in folders for file in left_out(folder)])
    return Survey(place, split, counts[0], counts[1], sides, coloured, others)


def _innermost(place: Path) -> Path:
    """The folder that classes or parts lie in: archives often wrap it in one of its own."""
    for _ in range(_DEEPEST):
        inside = subfolders(place)
        if len(inside) != 1 or not subfolders(inside[0]):
            break
        place = inside[0]
    return place


def _expect_no_half_of_a_split(place: Path) -> None:
    """Raise for `train/` with `val/`: which images are for testing is not ours to guess."""
    names = [one.name for one in subfolders(place) if one.name.lower() in _PARTS]
    if names and any(subfolders(place / name) for name in names):
        there = " and ".join(f"{name}/" for name in names)
        raise DatasetError(
            f"{place} holds {there}, and not both train/ and test/: call the images to train on "
            f"train/ and those to test on test/, or name one of them alone: {place / names[0]}"
        )


def _unfit(place: Path, train: Classes, test: Classes, split: bool) -> list[str]:
    """A line for each thing that no study can be made of."""
    found = []
    if len(train) == 1:
        found.append(
            f"{place} holds images of one class only ({next(iter(train))!r}); a classifier needs "
            "at least 2, each in a folder of its own"
        )
    if split:
        for name in sorted(train.keys() ^ test.keys()):
            where, other = ("train", "test") if name in train else ("test", "train")
            found.append(f"class {name!r} of {place} is in {where}/ and not in {other}/")
        return found
    return found + [
        f"class folder {files[0].parent} holds 1 image; it takes one to train on and one to test "
        "on: add images, or take the folder away"
        for files in train.values()
        if len(files) == 1
    ]


def _looked_at(files: list[Path], problems: list[str]) -> tuple[tuple[tuple[int, int], ...], bool]:
    """The sides of all pictures, and whether any has colours; adds what cannot be read."""
    sides, coloured = [], False
    for file in files:
        try:
            with opened(file) as stream:
                image = header(file, stream)
                sides.append(image.size)
                coloured = coloured or _has_colours(image)
        except DatasetError as error:
            problems.append(str(error))
    return tuple(sides), coloured


def _has_colours(image: object) -> bool:
    from PIL import Image

    assert isinstance(image, Image.Image)
    if image.mode in _GREY_MODES or image.mode.startswith("I;"):
        return False
    image.draft("RGB", (_LOOK, _LOOK))  # a JPEG is then decoded at an eighth of its size
    small = image.convert("RGBA" if "transparency" in image.info else "RGB").convert("RGB")
    small.thumbnail((_LOOK, _LOOK))
    levels = np.asarray(small, dtype=np.int16).reshape(-1, 3)
    apart = levels.max(axis=1) - levels.min(axis=1)
    return bool((apart > _COLOURED).mean() > _SHARE)


def _kinds(files: list[Path]) -> dict[str, int]:
    """The number of files of each kind, such as `.txt`, the most frequent first."""
    kinds = Counter(file.suffix.lower() or class_name(file) for file in files)
    return dict(sorted(kinds.items(), key=lambda one: (-one[1], one[0])))


def tell_survey(path: str, emit: Callable[[Survey], None]) -> None:
    """Look at a folder, in a child process."""
    emit(survey(path))
