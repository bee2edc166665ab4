"""A user's own images: one folder a class, resized to one size.

Either `PATH/train/CLASS/IMAGE` and `PATH/test/CLASS/IMAGE`, or `PATH/CLASS/IMAGE` with
`test_fraction`, the share of every class that is held out for testing.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import numpy as np

from augbench.datasets._images import Resize, read_images
from augbench.datasets.contract import Dataset, reads
from augbench.errors import DatasetError, ParameterError

__all__ = ["folder"]

# What systems leave behind, in any case, beside names that begin with a dot.
_HIDDEN = frozenset(
    {
        "$recycle.bin",
        "@eadir",
        "__macosx",
        "desktop.ini",
        "ehthumbs.db",
        "icon\r",
        "lost+found",
        "system volume information",
        "thumbs.db",
    }
)

Classes = dict[str, list[Path]]  # class name → its images, both sorted by name


def _files(
    root: Path | None, path: str = "", test_fraction: float = 0.0, **parameters: Any
) -> list[Path]:
    parts = _split(_place(path), test_fraction)
    return [file for part in parts for files in part.values() for file in files]


@reads(_files)
def folder(
    root: Path | None,
    *,
    download: bool = False,
    path: str = "",
    size: int = 28,
    resize: Resize = "stretch",
    channels: int = 1,
    test_fraction: float = 0.0,
    white: float = 0.0,
) -> Dataset:
    """Images in the folder `path`, whose sub-folders' names are the classes, size × size pixels.

    `path` is as the shell means it: `root` plays no part. With `resize="stretch"` the whole image
    is stretched to a square; with `"crop"` its short side is brought to `size`, and the square in
    the middle is kept. `channels` is 1 (grey) or 3 (colour); transparent pixels become black.

    With `test_fraction`, a class's images are ranked by the SHA-256 of `CLASS/IMAGE`, and the
    first `test_fraction` of them (rounded; at least one, never all) are its test images: the same
    on every machine, whatever the order of the files. Names are compared by their code points in
    Unicode's form C, since file systems differ in form and in how they sort.

    `white` is the value of white in pictures of more than 8 bits a pixel; by default 65535, or 4095
    in TIFF files that say 12 bits, and 1 or 255 for floating-point ones, as their values say.

    Raises `ParameterError` for a parameter out of range, and `DatasetError` for a folder of another
    layout or a file that is no image.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ParameterError(f"folder: expected size as 1 pixel or more, got {size!r}")
    if resize not in get_args(Resize):
        expected = " or ".join(get_args(Resize))
        raise ParameterError(f"folder: expected resize as {expected}, got {resize!r}")
    if channels not in (1, 3):
        raise ParameterError(f"folder: expected channels as 1 (grey) or 3 (colour), got {channels}")
    if not 0 <= test_fraction < 1:
        raise ParameterError(f"folder: expected 0 ≤ test_fraction < 1, got {test_fraction}")
    if not (math.isfinite(white) and white >= 0):
        raise ParameterError(f"folder: expected white as a number above 0, got {white}")
    place = _place(path)
    train, test = _split(place, test_fraction)
    if len(train) < 2:
        raise DatasetError(
            f"{place} holds images of one class only ({next(iter(train))!r}); "
            "a classifier needs at least 2, each in a folder of its own"
        )
    # In one go, since what is white in pictures of many bits is one question for all of them.
    files = [file for part in (train, test) for group in part.values() for file in group]
    images = read_images(files, size, resize, channels, white)
    train_labels, test_labels = (
        np.repeat(np.arange(len(part)), [len(group) for group in part.values()])
        for part in (train, test)
    )
    end = len(train_labels)
    return Dataset(
        f"folder:{path}", images[:end], train_labels, images[end:], test_labels, tuple(train)
    )


def _place(path: str) -> Path:
    if not path:
        raise ParameterError("folder: expected the folder that holds the images: folder:PATH")
    place = Path(path).expanduser()
    if not place.is_dir():
        raise DatasetError(f"data set 'folder': there is no folder {place}")
    return place


def _visible(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in _HIDDEN


def _name(path: Path) -> str:
    """The name in one Unicode form: macOS may hand out an é as an e and an accent."""
    return unicodedata.normalize("NFC", path.name)


def _sorted(paths: Iterable[Path]) -> list[Path]:
    """By name alone: paths themselves are compared without their case on Windows."""
    return sorted(paths, key=lambda path: (_name(path), path.name))


def _split(place: Path, test_fraction: float) -> tuple[Classes, Classes]:
    """The training and test files of every class, by either layout."""
    parts = {part: _part(place, part) for part in ("train", "test")}
    if test_fraction == 0:
        if parts["train"] is None or parts["test"] is None:
            missing = " and ".join(f"{part}/" for part, found in parts.items() if found is None)
            raise DatasetError(
                f"{place} holds no {missing}; expected train/CLASS/IMAGE and test/CLASS/IMAGE, "
                "or CLASS/IMAGE with a split such as test_fraction=0.2"
            )
        train, test = _classes(parts["train"]), _classes(parts["test"])
        if train.keys() != test.keys():
            lone = sorted(train.keys() ^ test.keys())
            where, other = ("train", "test") if lone[0] in train else ("test", "train")
            raise DatasetError(
                f"expected the same classes in {place}/train and {place}/test, "
                f"but {lone[0]!r} is in {where}/ and not in {other}/"
            )
        return train, test
    if None not in parts.values():
        raise DatasetError(f"{place} holds train/ and test/ already: leave test_fraction out")
    train, test = {}, {}
    for name, files in _classes(place).items():
        if len(files) < 2:
            raise DatasetError(
                f"class folder {files[0].parent} holds 1 image; test_fraction needs at least 2"
            )
        ranked = sorted(files, key=_rank)
        held_out = min(max(round(len(files) * test_fraction), 1), len(files) - 1)
        test[name], train[name] = _sorted(ranked[:held_out]), _sorted(ranked[held_out:])
    return train, test


def _part(place: Path, part: str) -> Path | None:
    """The folder `train` or `test`, in any case, as a file system without case would find it."""
    found = [one for one in _entries(place) if one.name.lower() == part and one.is_dir()]
    return min(found, key=lambda one: (one.name != part, one.name), default=None)


def _rank(file: Path) -> str:
    name = f"{_name(file.parent)}/{_name(file)}"
    return hashlib.sha256(name.encode(errors="replace")).hexdigest()


def _classes(place: Path) -> Classes:
    """The class folders of `place` in the order of their names, each with its images."""
    classes: Classes = {}
    for entry in _entries(place):
        if not _visible(entry.name):
            continue
        if not entry.is_dir():
            raise DatasetError(f"expected one folder a class in {place}, found the file {entry}")
        name = _name(entry)
        if name in classes:
            raise DatasetError(
                f"two class folders of {place} are called {name!r}, in two Unicode forms; "
                "rename one of them, or bring their images together"
            )
        files = [file for file in _entries(entry) if _visible(file.name)]
        for file in files:
            if file.is_dir():
                raise DatasetError(
                    f"expected images in the class folder {entry}, found the folder {file}"
                )
        if not files:
            raise DatasetError(f"class folder {entry} holds no images")
        classes[name] = files
    if not classes:
        raise DatasetError(f"{place} holds no class folders; expected one folder a class")
    return classes


def _entries(place: Path) -> list[Path]:
    try:
        return _sorted(place.iterdir())
    except OSError as error:
        raise DatasetError(
            f"the folder {place} cannot be read: {error.strerror}; allow it, or take it away"
        ) from error
