"""The embedded data sets: distorted printed glyphs in the manner of MNIST, the same bits anywhere.

The package holds a distance table of every glyph (`tools/build_glyph_atlas.py` made them), so no
font library takes part. The code at run time uses only operations that IEEE 754 rounds
exactly, one element at a time: no sums over an axis, no matrix products, no transcendental
functions. Random numbers are the raw output of PCG64, whose stream NumPy never changes (NEP 19),
turned into floats here.
"""

from __future__ import annotations

import string
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from augbench.caching import cache_folder, write_atomically
from augbench.datasets.contract import Dataset, reads

__all__ = ["glyph_digits", "glyph_letters"]

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

ATLAS = Path(__file__).with_name("glyph_atlas.bin")
PIXELS = 28
TRAIN_PER_CLASS = 512
TEST_PER_CLASS = 200

# The strength of each distortion, tuned on the baseline's learning curve (docs/datasets.md).
ZOOM = 1.35  # table pixels per image pixel: a glyph's longer side is 26 table pixels
ROTATION = 0.12  # tan(angle / 2), about 14 degrees
SHEAR = 0.3
STRETCH = 0.18  # of either side
SHIFT = 1.25  # image pixels
ELASTIC = 2.8  # image pixels that one control point can pull
THICKNESS = (-0.5, 1.2)  # table pixels that an outline moves outwards
PRESSURE = 0.75  # table pixels that the thickness varies within one glyph
THINNEST = -0.55  # an outline moves no further inwards than this, or hairlines would vanish

CELLS = 4  # of the elastic grid along a side
KNOTS = CELLS + 3  # control points along a side of a cubic spline
COLUMNS = 8 + 3 * KNOTS * KNOTS  # random numbers an image takes
CHUNK = 128  # images drawn at once, so that they stay in the processor's cache; not in the result


@dataclass(frozen=True)
class _Set:
    """One of the two sets: its tables' place in the atlas, its seed, and the hash it must have."""

    name: str
    part: int
    classes: str
    seed: int
    content_hash: str


DIGITS = _Set(
    name="glyph-digits",
    part=0,
    classes=string.digits,
    seed=1,
    content_hash="d840ec2730e4724db7a0a74decdaea41080e365375cd9ae51d3a54bd3cc225bb",
)
LETTERS = _Set(
    name="glyph-letters",
    part=1,
    classes=string.ascii_uppercase,
    seed=2,
    content_hash="07fd1ad10c0ec4aef3cbc9b9ee147bbe0a0b4394bb3031f4c186710396b6f5b2",
)


def _files(root: Path | None) -> list[Path]:
    return [ATLAS]


@reads(_files)
def glyph_digits(root: Path | None, *, download: bool = False) -> Dataset:
    """Digits, 10 classes: 512 training and 200 test images a class, grey, 28×28."""
    return _load(DIGITS)


@reads(_files)
def glyph_letters(root: Path | None, *, download: bool = False) -> Dataset:
    """Capital letters, 26 classes: 512 training and 200 test images a class, grey, 28×28."""
    return _load(LETTERS)


def _load(which: _Set) -> Dataset:
    """The set from the cache if its hash is right, else drawn anew and cached."""
    path = cache_folder() / "glyphs" / f"{which.name}-{which.content_hash[:16]}.u8"
    count = len(which.classes) * (TRAIN_PER_CLASS + TEST_PER_CLASS)
    try:
        cached = np.fromfile(path, dtype=np.uint8)
    except OSError:
        cached = np.empty(0, dtype=np.uint8)
    if cached.size == count * PIXELS * PIXELS:
        dataset = _dataset(which, cached.reshape(count, 1, PIXELS, PIXELS))
        if dataset.content_hash == which.content_hash:
            return dataset
    images = _draw_all(which)
    dataset = _dataset(which, images)
    if dataset.content_hash != which.content_hash:
        warnings.warn(
            f"{which.name}: this machine drew other images (hash {dataset.content_hash[:16]}) than "
            f"AugBench's own (hash {which.content_hash[:16]}); results are not comparable with "
            f"others'; please report it with your processor and NumPy {np.__version__}",
            RuntimeWarning,
            stacklevel=3,
        )
    write_atomically(path, images.data)
    return dataset


def _dataset(which: _Set, images: Bytes) -> Dataset:
    """Split [N, 1, 28, 28] into training and test; classes alternate, so any prefix is balanced."""
    labels = np.arange(len(images), dtype=np.int64) % len(which.classes)
    n_train = TRAIN_PER_CLASS * len(which.classes)
    return Dataset(
        name=which.name,
        train_images=images[:n_train],
        train_labels=labels[:n_train],
        test_images=images[n_train:],
        test_labels=labels[n_train:],
        classes=tuple(which.classes),
    )


def _draw_all(which: _Set) -> Bytes:
    """All images of a set [N, 1, 28, 28]: each takes its own row of the random stream."""
    tables = _read_atlas()[which.part]
    n_classes = len(which.classes)
    count = n_classes * (TRAIN_PER_CLASS + TEST_PER_CLASS)
    stream = np.random.PCG64(which.seed)
    images = np.empty((count, 1, PIXELS, PIXELS), dtype=np.uint8)
    for start in range(0, count, CHUNK):
        labels = np.arange(start, min(start + CHUNK, count)) % n_classes
        raw = stream.random_raw(len(labels) * (1 + COLUMNS)).reshape(len(labels), -1)
        styles = ((raw[:, 0] >> np.uint64(32)) * np.uint64(len(tables))) >> np.uint64(32)
        # 24 random bits fill a float32 exactly: evenly spaced in [-1, 1).
        noise = (raw[:, 1:] >> np.uint64(40)).astype(np.float32) * 2.0**-23 - 1
        images[start : start + CHUNK, 0] = _draw(tables, styles.astype(np.int64), labels, noise)
    return images


def _read_atlas() -> list[Bytes]:
    """The tables [styles, classes, size, size] of digits and of letters."""
    data = np.frombuffer(zlib.decompress(ATLAS.read_bytes()), dtype=np.uint8)
    size, start, parts = int(data[0]), 5, []
    for styles, classes in ((int(data[1]), int(data[2])), (int(data[3]), int(data[4]))):
        shape = (styles, classes, size, size)
        stop = start + styles * classes * size * size
        # Rows are stored as differences modulo 256.
        parts.append(np.cumsum(data[start:stop].reshape(shape), axis=-1, dtype=np.uint8))
        start = stop
    return parts


def _draw(
    tables: Bytes, styles: NDArray[np.int64], labels: NDArray[np.int64], noise: Floats
) -> Bytes:
    """Draw N images [N, 28, 28] from noise [N, COLUMNS] in [-1, 1)."""
    knots = noise[:, 8:].reshape(-1, 3, KNOTS, KNOTS)
    pull_x, pull_y, pressure = (_smooth(knots[:, axis]) for axis in range(3))  # each [N, 28, 28]
    column = noise[:, :8, None, None]  # column[:, k]: [N, 1, 1]

    grid = np.arange(PIXELS, dtype=np.float32) - (PIXELS - 1) / 2
    x = grid[None, None, :] + column[:, 3] * SHIFT + pull_x * ELASTIC  # [N, 28, 28]
    y = grid[None, :, None] + column[:, 4] * SHIFT + pull_y * ELASTIC

    # The affine map from image to table; a rotation by rational functions of tan(angle / 2).
    tangent = column[:, 0] * ROTATION
    cosine = (1 - tangent * tangent) / (1 + tangent * tangent)
    sine = 2 * tangent / (1 + tangent * tangent)
    wide = (1 + column[:, 1] * STRETCH) * ZOOM
    high = (1 + column[:, 2] * STRETCH) * ZOOM
    slant = column[:, 5] * SHEAR
    middle = (tables.shape[-1] - 1) / 2
    u = (cosine * x + (sine + slant * cosine) * y) * wide + middle
    v = ((cosine - slant * sine) * y - sine * x) * high + middle

    low, top = THICKNESS
    outward = (column[:, 6] + 1) * ((top - low) / 2) + low + pressure * PRESSURE
    outward = np.maximum(outward, THINNEST)
    ink = (_sample(tables, styles, labels, u, v) + outward) / ZOOM + 0.5
    drawn: Bytes = np.floor(np.minimum(np.maximum(ink, 0), 1) * 255 + 0.5).astype(np.uint8)
    return drawn


def _sample(
    tables: Bytes,
    styles: NDArray[np.int64],
    labels: NDArray[np.int64],
    u: Floats,
    v: Floats,
) -> Floats:
    """The signed distance in table pixels at columns u and rows v, between cells bilinearly."""
    size = tables.shape[-1]
    u = np.minimum(np.maximum(u, 0), size - 1.001)
    v = np.minimum(np.maximum(v, 0), size - 1.001)
    left, above = np.floor(u), np.floor(v)
    u, v = u - left, v - above
    table = (styles * tables.shape[1] + labels) * (size * size)  # [N]
    cell = table[:, None, None] + above.astype(np.int64) * size + left.astype(np.int64)
    values = tables.reshape(-1).astype(np.float32)
    upper = values[cell] + (values[cell + 1] - values[cell]) * u
    lower = values[cell + size] + (values[cell + size + 1] - values[cell + size]) * u
    distance: Floats = (upper + (lower - upper) * v - 128) / 16
    return distance


def _smooth(knots: Floats) -> Floats:
    """A cubic B-spline surface [N, 28, 28] through the pull of its control points [N, K, K]."""
    at = (np.arange(PIXELS, dtype=np.float32) + 0.5) * (CELLS / PIXELS)
    first = np.floor(at).astype(np.int64)
    t = at - first.astype(np.float32)
    r = 1 - t
    weights = (
        r * r * r / 6,
        (3 * t * t * t - 6 * t * t + 4) / 6,
        (3 * r * r * r - 6 * r * r + 4) / 6,
        t * t * t / 6,
    )
    rows = weights[0][:, None] * knots[:, first]  # [N, 28, K]
    for tap in (1, 2, 3):
        rows = rows + weights[tap][:, None] * knots[:, first + tap]
    surface: Floats = weights[0] * rows[:, :, first]  # [N, 28, 28]
    for tap in (1, 2, 3):
        surface = surface + weights[tap] * rows[:, :, first + tap]
    return surface
