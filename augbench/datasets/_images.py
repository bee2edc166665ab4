"""Image files as pixels of one size and 8 bits: whatever Pillow reads, or one line on why not.

Files of more than 8 bits a pixel do not always say which value is white: 12 bits are stored in 16,
floating-point images reach 1 or 255. All such files of a data set are looked at before any is
scaled; where they leave it open, the user is asked for `white`.
"""

from __future__ import annotations

import stat
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from augbench.datasets.layout import expect_no_problems
from augbench.errors import DatasetError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Resize", "header", "opened", "read_images", "unreadable"]

Resize = Literal["stretch", "crop"]

_MOST_PIXELS = 89_478_485
"""Of one picture: Pillow's own default, a quarter of a gigabyte in colour."""
_16_BITS, _12_BITS = 65_535, 4_095
_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF
_WHITE_IS_ZERO = 0


@dataclass(frozen=True, eq=False)
class _Deep:
    """The values of a picture of more than 8 bits a pixel, [H, W], as its file has them."""

    file: Path
    values: NDArray[Any]
    inverted: bool
    white: float  # as the file says; 0 where it does not

    @property
    def is_float(self) -> bool:
        return self.values.dtype.kind == "f"


@dataclass(frozen=True)
class _Extent:
    """The numbers of a deep picture, kept until the scale of all is known."""

    file: Path
    high: float
    is_float: bool
    white: float


def read_images(
    files: Sequence[Path], size: int, resize: Resize, channels: int, white: float = 0
) -> NDArray[np.uint8]:
    """Images uint8 [N, channels, size, size]; `channels` is 1 (grey) or 3 (colour).

    `white` is the value that is white in pictures of more than 8 bits; 0 asks their files. Raises
    `DatasetError` with a line, which names the file, for each that is no picture.
    """
    images = np.empty((len(files), channels, size, size), dtype=np.uint8)
    deep: dict[int, _Extent] = {}
    problems: list[str] = []
    for row, file in enumerate(files):
        try:
            with _read(file) as read:
                if isinstance(read, _Deep):
                    deep[row] = _extent(read)
                elif not problems:  # else it is only asked whether it can be read
                    images[row] = _pixels(read, size, resize, channels, file)
        except DatasetError as error:
            problems.append(str(error))
    expect_no_problems(problems)
    scales = _scales(list(deep.values()), white)
    for row, extent in deep.items():
        scale = white or extent.white or scales[extent.is_float]
        with _read(extent.file) as read:
            assert isinstance(read, _Deep)
            images[row] = _pixels(_in_8_bits(read, scale), size, resize, channels, extent.file)
    return images


def unreadable(files: Sequence[Path]) -> list[str]:
    """A line for each file that cannot be read to its end."""
    problems = []
    for file in files:
        try:
            with _read(file) as read:
                if isinstance(read, _Deep):
                    _extent(read)
        except DatasetError as error:
            problems.append(str(error))
    return problems


@contextmanager
def _read(file: Path) -> Iterator[Image | _Deep]:
    """The picture, upright, without transparency; deep ones as values."""
    with opened(file) as stream:
        yield _decoded(file, stream)


@contextmanager
def opened(file: Path) -> Iterator[BinaryIO]:
    """A file for Pillow: whatever is raised becomes a `DatasetError` of one line that names it."""
    _expect_a_file(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's doubts about metadata and size
            with file.open("rb") as stream:
                yield stream
    except DatasetError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "" if error.strerror is None else "; see to it that it can be read, or take it away"
        raise _unreadable(file, reason, hint) from error
    except Exception as error:  # Pillow's plugins raise whatever a damaged file makes them raise
        raise _unreadable(file, str(error) or type(error).__name__) from error


def _expect_a_file(file: Path) -> None:
    """Whatever is no regular file is never opened: a pipe would block for ever."""
    try:
        mode = file.stat().st_mode
    except OSError as error:
        what = "a link that leads nowhere" if file.is_symlink() else error.strerror or str(error)
        raise _unreadable(file, what, "; take it away") from error
    if not stat.S_ISREG(mode):
        kinds = {
            stat.S_ISFIFO: "a pipe",
            stat.S_ISSOCK: "a socket",
            stat.S_ISCHR: "a device",
            stat.S_ISBLK: "a device",
        }
        what = next((name for test, name in kinds.items() if test(mode)), "no file")
        raise _unreadable(file, f"it is {what}", "; take it away")


def _unreadable(file: Path, reason: str, hint: str = "") -> DatasetError:
    text = " ".join(reason.split())
    hint = hint or "; save it anew, as PNG for example, or take it away"
    return DatasetError(f"{file} cannot be read as an image: {text}{hint}")


def header(file: Path, stream: BinaryIO) -> Image:
    """The picture as Pillow opens it, not decoded yet; raises `DatasetError`."""
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(stream)
    except Image.DecompressionBombError as error:
        raise _too_large(file, "it has too many pixels") from error
    except UnidentifiedImageError as error:
        if file.suffix.lower() in (".heic", ".heif"):
            told = "it is of the kind HEIC, which Pillow does not read"
            raise _unreadable(file, told, "; save it anew, as JPEG") from error
        raise _unreadable(file, "it is of no kind that Pillow knows, or damaged") from error
    width, height = image.size
    if width * height > _MOST_PIXELS:
        raise _too_large(file, f"it has {width} × {height} pixels")
    return image


def _decoded(file: Path, stream: BinaryIO) -> Image | _Deep:
    from PIL import Image, ImageOps

    found = header(file, stream)
    tags: Any = getattr(found, "tag_v2", {})  # read now: turning the picture loses them
    bits, photometric = tags.get(_BITS_PER_SAMPLE), tags.get(_PHOTOMETRIC)
    transparent = found.info.get("transparency")
    image = ImageOps.exif_transpose(found)
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image)
        if image.mode == "I" and bits == (32,) and tags.get(_SAMPLE_FORMAT, (1,)) == (1,):
            values = values.view(np.uint32)  # without a sign in the file, with one in Pillow
        if isinstance(transparent, int):
            values = np.where(values == transparent, 0, values)
        white = _12_BITS if bits == (12,) else 0
        return _Deep(file, values, photometric == _WHITE_IS_ZERO, white)
    if image.mode in ("La", "RGBa"):  # multiplied with their opacity already
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    if image.mode in ("LAB", "HSV"):
        return image.convert("RGB")
    image.load()
    return image


def _too_large(file: Path, what: str) -> DatasetError:
    return _unreadable(
        file, what, f", more than {_MOST_PIXELS:,}; make it smaller, or take it away"
    )


def _extent(deep: _Deep) -> _Extent:
    low, high = float(deep.values.min()), float(deep.values.max())
    if not np.isfinite(deep.values).all():
        raise _unreadable(deep.file, "it holds values that are no finite numbers")
    if low < 0:
        raise _unreadable(
            deep.file, f"it holds values from {low:g} to {high:g}, and none below 0 was expected"
        )
    return _Extent(deep.file, high, deep.is_float, deep.white)


def _scales(extents: Sequence[_Extent], white: float) -> dict[bool, float]:
    """The white of whole numbers (False) and of floating-point ones (True)."""
    scales: dict[bool, float] = {False: _16_BITS, True: 1}
    for is_float in scales:
        group = [one for one in extents if one.is_float == is_float and not one.white]
        if white or not group:
            continue
        brightest = max(group, key=lambda one: one.high)
        top = brightest.high
        if is_float and 127 < top <= 255:
            scales[True] = 255
        elif top > 0 and not (top <= 1 if is_float else _12_BITS < top <= _16_BITS):
            expected = "0 … 1 or 0 … 255" if is_float else f"0 … {_16_BITS}"
            guess = _12_BITS if not is_float and top <= _12_BITS else top
            kind = "a floating-point" if is_float else "a 16- or 32-bit"
            raise _unreadable(
                brightest.file,
                f"it is {kind} image whose largest value, {top:.10g}, is the largest of all such "
                f"files, and leaves open which value is white (expected {expected})",
                f"; write white={guess:.10g} behind the folder, or whatever else white is there",
            )
    return scales


def _in_8_bits(deep: _Deep, white: float) -> Image:
    from PIL import Image

    values: NDArray[Any] = float(white) - deep.values if deep.inverted else deep.values
    if white == _16_BITS and not deep.is_float:
        eight = (
            values.astype(np.int64) >> 8
        )  # the high byte, as Pillow takes it of coloured images of 16 bits
    else:
        eight = np.rint(values * (255 / white))
    return Image.fromarray(np.clip(eight, 0, 255).astype(np.uint8))


def _pixels(
    image: Image, size: int, resize: Resize, channels: int, file: Path
) -> NDArray[np.uint8]:
    """One image as [channels, size, size]."""
    image = image.convert("L" if channels == 1 else "RGB")
    pixels = np.asarray(_square(image, size, resize, file), dtype=np.uint8)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _square(image: Image, size: int, resize: Resize, file: Path) -> Image:
    """The image as size × size pixels; `crop` is torchvision's `Resize` and `CenterCrop`."""
    from PIL.Image import Resampling

    if resize == "stretch":
        return image.resize((size, size), Resampling.BILINEAR)
    short = min(image.size)
    # The long side is rounded down, and half a pixel to the even side, as torchvision does it.
    width, height = (int(size * side / short) for side in image.size)
    if width * height > _MOST_PIXELS:
        raise _too_large(file, f"it is so thin that a crop needs {width} × {height} pixels")
    left, top = round((width - size) / 2), round((height - size) / 2)
    image = image.resize((width, height), Resampling.BILINEAR)
    return image.crop((left, top, left + size, top + size))
