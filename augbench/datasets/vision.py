"""torchvision's data sets, in its layout on disk.

torchvision is imported only when images are read: looking for files on disk is instant.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import string
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augbench.caching import cache_folder
from augbench.datasets.contract import Dataset, reads
from augbench.errors import DatasetError, ParameterError
from augbench.options import named

__all__ = [
    "cifar10",
    "cifar100",
    "emnist",
    "fashion_mnist",
    "kmnist",
    "mnist",
    "qmnist",
    "svhn",
]

Arrays = tuple[NDArray[Any], NDArray[Any]]

_QMNIST_TESTS = ("test10k", "test50k", "test")


def _idx(folder: str, *stems: str, labels: str = "labels-idx1-ubyte") -> tuple[str, ...]:
    return tuple(
        f"{folder}/raw/{stem}-{kind}" for stem in stems for kind in ("images-idx3-ubyte", labels)
    )


_FILES = {
    "mnist": _idx("MNIST", "train", "t10k"),
    "fashion-mnist": _idx("FashionMNIST", "train", "t10k"),
    "kmnist": _idx("KMNIST", "train", "t10k"),
    "emnist": _idx("EMNIST", "emnist-letters-train", "emnist-letters-test"),
    "qmnist": _idx("QMNIST", "qmnist-train", "qmnist-test", labels="labels-idx2-int"),
    "cifar10": tuple(
        f"cifar-10-batches-py/{name}"
        for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch", "batches.meta")
    ),
    "cifar100": tuple(f"cifar-100-python/{name}" for name in ("train", "test", "meta")),
    "svhn": ("train_32x32.mat", "test_32x32.mat"),
}


def _files(name: str) -> Callable[..., list[Path]]:
    def files(root: Path | None, **parameters: Any) -> list[Path]:
        return [_root(root) / file for file in _FILES[name]]

    return files


@reads(_files("mnist"))
def mnist(root: Path | None, *, download: bool = False) -> Dataset:
    """MNIST: handwritten digits, 10 classes, grey 28×28; 60,000 and 10,000 images."""
    train, test, _ = _read("mnist", "MNIST", root, download)
    return _dataset("mnist", train, test, tuple(string.digits))


@reads(_files("fashion-mnist"))
def fashion_mnist(root: Path | None, *, download: bool = False) -> Dataset:
    """Fashion-MNIST: articles of clothing, 10 classes, grey 28×28; 60,000 and 10,000 images."""
    return _dataset("fashion-mnist", *_read("fashion-mnist", "FashionMNIST", root, download))


@reads(_files("kmnist"))
def kmnist(root: Path | None, *, download: bool = False) -> Dataset:
    """Kuzushiji-MNIST: cursive hiragana, 10 classes, grey 28×28; 60,000 and 10,000 images."""
    return _dataset("kmnist", *_read("kmnist", "KMNIST", root, download))


@reads(_files("emnist"))
def emnist(root: Path | None, *, download: bool = False) -> Dataset:
    """EMNIST letters: 26 classes, upper and lower case together, grey 28×28, upright.

    The files number the classes from 1 and hold the images transposed; both are undone here.
    """
    train, test, _ = _read("emnist", "EMNIST", root, download, split="letters")
    upright = [(np.swapaxes(x, 1, 2), y.astype(np.int64) - 1) for x, y in (train, test)]
    return _dataset("emnist", upright[0], upright[1], tuple(string.ascii_uppercase))


@reads(_files("qmnist"))
def qmnist(root: Path | None, *, download: bool = False, test: str = "test10k") -> Dataset:
    """QMNIST: MNIST rebuilt from its source, 10 classes, grey 28×28; 60,000 training images.

    `test` is "test10k" (those that match MNIST's test images), "test50k" (those that MNIST lost),
    or "test" (both).
    """
    if test not in _QMNIST_TESTS:
        raise ParameterError(f"qmnist: expected test as one of {_QMNIST_TESTS}, got {test!r}")
    parts = ({"what": "train"}, {"what": test})
    *both, _ = _read("qmnist", "QMNIST", root, download, parts)
    train, tests = ((x, y[:, 0]) for x, y in both)  # y[:, 1:]: the writer, and the like
    return _dataset("qmnist", train, tests, tuple(string.digits))


@reads(_files("cifar10"))
def cifar10(root: Path | None, *, download: bool = False) -> Dataset:
    """CIFAR-10: photographs of things and animals, colour 32×32; 50,000 and 10,000 images."""
    return _cifar("cifar10", "CIFAR10", root, download)


@reads(_files("cifar100"))
def cifar100(root: Path | None, *, download: bool = False) -> Dataset:
    """CIFAR-100: photographs, 100 fine classes, colour 32×32; 50,000 and 10,000 images."""
    return _cifar("cifar100", "CIFAR100", root, download)


@reads(_files("svhn"))
def svhn(root: Path | None, *, download: bool = False) -> Dataset:
    """SVHN: house numbers in the street, 10 classes, colour 32×32; 73,257 and 26,032 images."""
    parts = ({"split": "train"}, {"split": "test"})
    train, test, _ = _read("svhn", "SVHN", root, download, parts)
    return _dataset("svhn", train, test, tuple(string.digits))


def _cifar(name: str, kind: str, root: Path | None, download: bool) -> Dataset:
    (x, y), (u, v), classes = _read(name, kind, root, download)  # x, u: [N, H, W, C]
    return _dataset(name, (x.transpose(0, 3, 1, 2), y), (u.transpose(0, 3, 1, 2), v), classes)


def _dataset(name: str, train: Arrays, test: Arrays, classes: tuple[str, ...]) -> Dataset:
    """The contract's form of [N, H, W] or [N, C, H, W] images and integer labels."""
    images = [np.ascontiguousarray(x[:, None] if x.ndim == 3 else x) for x, _ in (train, test)]
    labels = [np.ascontiguousarray(y, dtype=np.int64) for _, y in (train, test)]
    return Dataset(name, images[0], labels[0], images[1], labels[1], tuple(classes))


def _root(root: Path | None) -> Path:
    """Return the user's folder, else the one in `AUGBENCH_DATA`, else one in the cache folder."""
    if root is not None:
        return Path(root).expanduser()
    named = os.environ.get("AUGBENCH_DATA")
    return Path(named).expanduser() if named else cache_folder() / "data"


def _read(
    name: str,
    kind: str,
    root: Path | None,
    download: bool,
    parts: tuple[dict[str, Any], dict[str, Any]] = ({"train": True}, {"train": False}),
    **options: Any,
) -> tuple[Arrays, Arrays, tuple[str, ...]]:
    """Images and labels of both parts and the class names, as torchvision's `kind` has them."""
    folder = _root(root)
    files = [folder / file for file in _FILES[name]]
    missing = [file for file in files if not file.is_file()]
    if missing and not download:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DatasetError(
            f"data set {name!r} not found: there is no {missing[0]}{others}; "
            f"name the folder that holds it with {named('data_root')} or AUGBENCH_DATA, "
            f"or let it be downloaded there with {named('download', True)}"
        )
    if not missing:
        _check(name, files)

    read = []
    for part in parts:
        try:
            # Old pickles make new NumPy versions warn, and old torchvision versions print.
            with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
                warnings.simplefilter("ignore")
                source = _torchvision(kind)(folder, download=bool(missing), **part, **options)
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            if missing:
                raise DatasetError(
                    f"data set {name!r} could not be downloaded to {folder}: {reason}; "
                    f"try again, or put {missing[0].name} and its like into "
                    f"{missing[0].parent} yourself"
                ) from error
            raise _corrupted(name, _suspect(kind, folder, files), reason) from error
        labels = source.labels if kind == "SVHN" else source.targets
        read.append((np.asarray(source.data), np.asarray(labels)))
        if len(read[-1][0]) != len(read[-1][1]):
            raise DatasetError(
                f"data set {name!r}: its files in {files[0].parent} hold {len(read[-1][0])} "
                f"images but {len(read[-1][1])} labels"
            )
    return read[0], read[1], tuple(getattr(source, "classes", ()))


def _torchvision(kind: str) -> Any:
    return getattr(importlib.import_module("torchvision.datasets"), kind)


def _corrupted(name: str, file: Path, reason: str) -> DatasetError:
    return DatasetError(
        f"data set {name!r}: {file} is corrupted ({reason}); "
        f"delete it, and fetch it again with {named('download', True)}"
    )


def _suspect(kind: str, folder: Path, files: list[Path]) -> Path:
    """Return the first file whose MD5 differs from torchvision's, else the folder of all files."""
    check_integrity = importlib.import_module("torchvision.datasets.utils").check_integrity
    source = _torchvision(kind)
    if kind == "SVHN":
        expected = [source.split_list[part][1:] for part in ("train", "test")]
    elif kind in ("CIFAR10", "CIFAR100"):
        expected = [*source.train_list, *source.test_list]
        expected.append([source.meta["filename"], source.meta["md5"]])
    else:
        expected = []
    sums = dict(expected)
    for file in files:
        if file.name in sums and not check_integrity(file, sums[file.name]):
            return file
    return files[0].parent


def _check(name: str, files: list[Path]) -> None:
    """Compare each IDX file's size with what its header announces."""
    for file in files:
        if "-idx" not in file.name:
            continue
        try:
            size = file.stat().st_size
            with file.open("rb") as stream:
                header = stream.read(16)
        except OSError as error:
            raise _corrupted(name, file, error.strerror or str(error)) from error
        dimensions = header[3] if len(header) >= 4 else 0
        width = {0x08: 1, 0x0C: 4}.get(header[2] if len(header) >= 4 else 0)
        if header[:2] != b"\0\0" or width is None or not 1 <= dimensions <= 3:
            raise _corrupted(name, file, "it does not start as an IDX file does")
        shape = [int.from_bytes(header[4 + 4 * k : 8 + 4 * k]) for k in range(dimensions)]
        expected = 4 + 4 * dimensions + width * math.prod(shape)
        if size != expected:
            announced = " × ".join(str(side) for side in shape)
            raise _corrupted(
                name, file, f"{announced} take {expected} bytes, the file holds {size}"
            )
