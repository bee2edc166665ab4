"""A user's own images: one folder a class, resized to one size.

Either `PATH/train/CLASS/IMAGE` and `PATH/test/CLASS/IMAGE`, or `PATH/CLASS/IMAGE` with
`test_fraction`, the share of every class that is held out for testing.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args

import numpy as np

from augbench.datasets._images import Resize
from augbench.datasets._kept_pixels import read_or_recall
from augbench.datasets.contract import Dataset, reads
from augbench.datasets.layout import parts_of, place_of
from augbench.errors import DatasetError, ParameterError

__all__ = ["folder"]


def _files(
    root: Path | None,
    path: str = "",
    test_fraction: float = 0.0,
    split: int = 0,
    **parameters: Any,
) -> list[Path]:
    parts = parts_of(place_of(path), test_fraction, split)
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
    split: int = 0,
) -> Dataset:
    """Images in the folder `path`, whose sub-folders' names are the classes, size × size pixels.

    `path` is as the shell means it: `root` plays no part. With `resize="stretch"` the whole image
    is stretched to a square; with `"crop"` its short side is brought to `size`, and the square in
    the middle is kept. `channels` is 1 (grey) or 3 (colour); transparent pixels become black.

    With `test_fraction`, a class's images are ranked by the SHA-256 of `CLASS/IMAGE`, and the
    first `test_fraction` of them (rounded; at least one, never all) are its test images: the same
    on every machine, whatever the order of the files. Another `split` (1, 2, …) ranks them by
    `SPLIT/CLASS/IMAGE`, and holds out others. Names are compared by their code points in Unicode's
    form C, since file systems differ in form and in how they sort. Papers, tables, films and other
    files that are no images by their names are left out.

    `white` is the value of white in pictures of more than 8 bits a pixel; by default 65535, or 4095
    in TIFF files that say 12 bits, and 1 or 255 for floating-point ones, as their values say.

    Raises `ParameterError` for a parameter out of range, and `DatasetError` for a folder of another
    layout or files that are no images, in a line each.
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
    if isinstance(split, bool) or not isinstance(split, int) or split < 0:
        raise ParameterError(
            f"folder: expected split as a whole number of 0 or more, got {split!r}"
        )
    if split and not test_fraction:
        raise ParameterError(
            "folder: split tells one division by test_fraction from another; give test_fraction too"
        )
    place = place_of(path)
    train, test = parts_of(place, test_fraction, split)
    if len(train) < 2:
        raise DatasetError(
            f"{place} holds images of one class only ({next(iter(train))!r}); "
            "a classifier needs at least 2, each in a folder of its own"
        )
    # In one go, since what is white in pictures of many bits is one question for all of them.
    files = [file for part in (train, test) for group in part.values() for file in group]
    images = read_or_recall(files, size, resize, channels, white)
    train_labels, test_labels = (
        np.repeat(np.arange(len(part)), [len(group) for group in part.values()])
        for part in (train, test)
    )
    end = len(train_labels)
    return Dataset(
        f"folder:{path}", images[:end], train_labels, images[end:], test_labels, tuple(train)
    )
