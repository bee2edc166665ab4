"""A user's own images: one folder a class, resized to one size.

Either `PATH/train/CLASS/IMAGE` and `PATH/test/CLASS/IMAGE`, or `PATH/CLASS/IMAGE` with
`test_fraction`, the share of every class that is held out for testing.
"""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from augbench.datasets.contract import Dataset, reads
from augbench.errors import DatasetError, ParameterError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["folder"]

# What systems leave behind, beside files whose name begins with a dot.
_HIDDEN = frozenset({"desktop.ini", "Thumbs.db"})

Resize = Literal["stretch", "crop"]
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
) -> Dataset:
    """Images in the folder `path`, whose sub-folders' names are the classes, size × size pixels.

    `path` is as the shell means it: `root` plays no part. With `resize="stretch"` the whole image
    is stretched to a square; with `"crop"` its short side is brought to `size`, and the square in
    the middle is kept. `channels` is 1 (grey) or 3 (colour); transparent pixels become black.

    With `test_fraction`, a class's images are ranked by the SHA-256 of `CLASS/IMAGE`, and the
    first `test_fraction` of them (rounded; at least one, never all) are its test images: the same
    on every machine, whatever the order of the files.

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
    place = _place(path)
    train, test = _split(place, test_fraction)
    if len(train) < 2:
        raise DatasetError(
            f"{place} holds images of one class only ({next(iter(train))!r}); "
            "a classifier needs at least 2, each in a folder of its own"
        )
    train_images, train_labels = _read(train, size, resize, channels)
    test_images, test_labels = _read(test, size, resize, channels)
    return Dataset(
        f"folder:{path}", train_images, train_labels, test_images, test_labels, tuple(train)
    )


def _place(path: str) -> Path:
    if not path:
        raise ParameterError("folder: expected the folder that holds the images: folder:PATH")
    place = Path(path).expanduser()
    if not place.is_dir():
        raise DatasetError(f"data set 'folder': there is no folder {place}")
    return place


def _visible(name: str) -> bool:
    return not name.startswith(".") and name not in _HIDDEN


def _split(place: Path, test_fraction: float) -> tuple[Classes, Classes]:
    """The training and test files of every class, by either layout."""
    has = {part: (place / part).is_dir() for part in ("train", "test")}
    if test_fraction == 0:
        if not all(has.values()):
            missing = " and ".join(f"{part}/" for part in has if not has[part])
            raise DatasetError(
                f"{place} holds no {missing}; expected train/CLASS/IMAGE and test/CLASS/IMAGE, "
                "or CLASS/IMAGE with a split such as test_fraction=0.2"
            )
        train, test = _classes(place / "train"), _classes(place / "test")
        if train.keys() != test.keys():
            lone = sorted(train.keys() ^ test.keys())
            where, other = ("train", "test") if lone[0] in train else ("test", "train")
            raise DatasetError(
                f"expected the same classes in {place}/train and {place}/test, "
                f"but {lone[0]!r} is in {where}/ and not in {other}/"
            )
        return train, test
    if all(has.values()):
        raise DatasetError(f"{place} holds train/ and test/ already: leave test_fraction out")
    train, test = {}, {}
    for name, files in _classes(place).items():
        if len(files) < 2:
            raise DatasetError(
                f"class folder {place / name} holds 1 image; test_fraction needs at least 2"
            )
        ranked = sorted(files, key=_rank)
        held_out = min(max(round(len(files) * test_fraction), 1), len(files) - 1)
        test[name], train[name] = sorted(ranked[:held_out]), sorted(ranked[held_out:])
    return train, test


def _rank(file: Path) -> str:
    return hashlib.sha256(f"{file.parent.name}/{file.name}".encode(errors="replace")).hexdigest()


def _classes(place: Path) -> Classes:
    """The class folders of `place` in the order of their names, each with its images."""
    classes: Classes = {}
    for entry in sorted(place.iterdir()):
        if not _visible(entry.name):
            continue
        if not entry.is_dir():
            raise DatasetError(f"expected one folder a class in {place}, found the file {entry}")
        files = sorted(file for file in entry.iterdir() if _visible(file.name))
        for file in files:
            if file.is_dir():
                raise DatasetError(
                    f"expected images in the class folder {entry}, found the folder {file}"
                )
        if not files:
            raise DatasetError(f"class folder {entry} holds no images")
        classes[entry.name] = files
    if not classes:
        raise DatasetError(f"{place} holds no class folders; expected one folder a class")
    return classes


def _read(
    classes: Classes, size: int, resize: Resize, channels: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images [N, C, size, size] and labels [N], class after class."""
    files = [(label, file) for label, group in enumerate(classes.values()) for file in group]
    images = np.empty((len(files), channels, size, size), dtype=np.uint8)
    for row, (_, file) in enumerate(files):
        pixels = _read_image(file, size, resize, channels)
        images[row] = pixels if channels == 1 else pixels.transpose(2, 0, 1)
    return images, np.array([label for label, _ in files], dtype=np.int64)


def _read_image(file: Path, size: int, resize: Resize, channels: int) -> NDArray[np.uint8]:
    """One image, [size, size] or [size, size, 3]."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's doubts about metadata and size
            with Image.open(file) as opened:
                image = ImageOps.exif_transpose(opened)
                if image.mode.startswith("I"):  # 16 bits; Pillow itself would clip them at 255
                    high_bytes = np.clip(np.asarray(image, dtype=np.int64) >> 8, 0, 255)
                    image = Image.fromarray(high_bytes.astype(np.uint8))
                elif image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
                    image = image.convert("RGBA")
                    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
                    image = Image.alpha_composite(black, image)
                image = image.convert("L" if channels == 1 else "RGB")
                return np.asarray(_square(image, size, resize), dtype=np.uint8)
    except Exception as error:  # Pillow's plugins raise whatever a damaged file makes them raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(f"{file} cannot be read as an image: {reason}") from error


def _square(image: Image, size: int, resize: Resize) -> Image:
    """The image as size × size pixels; `crop` is torchvision's `Resize` and `CenterCrop`."""
    from PIL.Image import Resampling

    if resize == "stretch":
        return image.resize((size, size), Resampling.BILINEAR)
    short = min(image.size)
    # The long side is rounded down, and half a pixel to the even side, as torchvision does it.
    width, height = (int(size * side / short) for side in image.size)
    left, top = round((width - size) / 2), round((height - size) / 2)
    image = image.resize((width, height), Resampling.BILINEAR)
    return image.crop((left, top, left + size, top + size))
