"""The published corrupted sets MNIST-C and CIFAR-10-C, in the layout of their archives.

The training images are the clean ones, and only the test images are corrupted. Files are mapped
into memory, so that of the five severities of CIFAR-10-C only the one that is asked for is read.
"""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augbench.datasets.contract import Dataset, reads
from augbench.datasets.vision import _root, cifar10
from augbench.errors import DatasetError
from augbench.options import named
from augbench.plugins.suggestion import suggestion

__all__ = ["CIFAR10_C", "MNIST_C", "cifar10_c", "mnist_c"]

MNIST_C = (
    "identity",
    "shot_noise",
    "impulse_noise",
    "glass_blur",
    "motion_blur",
    "shear",
    "scale",
    "rotate",
    "brightness",
    "translate",
    "stripe",
    "fog",
    "spatter",
    "dotted_line",
    "zigzag",
    "canny_edges",
)
"""The folders of MNIST-C (Mu and Gilmer 2019, arXiv 1906.02337): fifteen corruptions, and none."""

CIFAR10_C = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
    "speckle_noise",
    "gaussian_blur",
    "spatter",
    "saturate",
)
"""The files of CIFAR-10-C (Hendrycks and Dietterich 2019, arXiv 1903.12261): fifteen corruptions
for testing, and four further ones."""

_SEVERITIES = 5


def _mnist_c_files(root: Path | None, *, corruption: str) -> list[Path]:
    folder = _root(root) / "mnist_c"
    return [
        folder / kind / f"{part}_{what}.npy"
        for kind, part in (("identity", "train"), (corruption, "test"))
        for what in ("images", "labels")
    ]


def _cifar10_c_files(root: Path | None, *, corruption: str, severity: int) -> list[Path]:
    folder = _root(root) / "CIFAR-10-C"
    return [folder / f"{corruption}.npy", folder / "labels.npy", *cifar10.__dict__["files"](root)]


@reads(_mnist_c_files)
def mnist_c(root: Path | None, *, corruption: str, download: bool = False) -> Dataset:
    """MNIST-C: MNIST tested on corrupted digits, grey 28×28; 60,000 and 10,000 images.

    `corruption` is one of `MNIST_C`, such as "fog"; "identity" is MNIST itself.
    """
    name = "mnist-c"
    _expect_known(name, corruption, MNIST_C)
    files = _mnist_c_files(root, corruption=corruption)
    _expect_files(name, files, "the folder mnist_c/ of the archive at zenodo.org/record/3239543")
    train, test = (_mapped(name, file, (28, 28, 1)) for file in files[::2])
    return Dataset(
        name,
        _channels_first(train),
        _labels(name, files[1], len(train)),
        _channels_first(test),
        _labels(name, files[3], len(test)),
        tuple(string.digits),
    )


@reads(_cifar10_c_files)
def cifar10_c(
    root: Path | None, *, corruption: str, severity: int = 3, download: bool = False
) -> Dataset:
    """CIFAR-10-C: CIFAR-10 tested on corrupted photographs, colour 32×32; 50,000 and 10,000 images.

    `corruption` is one of `CIFAR10_C`, such as "fog"; `severity` is 1 to 5. The training images are
    those of `cifar10`, which are looked for in its place, and downloaded there if that is allowed.
    """
    name = "cifar10-c"
    _expect_known(name, corruption, CIFAR10_C)
    if not 1 <= severity <= _SEVERITIES:
        raise DatasetError(f"data set {name!r}: expected a severity of 1 to 5, got {severity}")
    images_file, labels_file, *_ = _cifar10_c_files(root, corruption=corruption, severity=severity)
    archive = "the folder CIFAR-10-C/ of the archive at zenodo.org/record/2535967"
    _expect_files(name, [images_file, labels_file], archive)
    every = _mapped(name, images_file, (32, 32, 3))  # [5·N, 32, 32, 3], by severity
    labels = _labels(name, labels_file, len(every))
    clean = cifar10(root, download=download)
    count = len(clean.test_images)
    if len(every) != _SEVERITIES * count:
        raise DatasetError(
            f"data set {name!r}: {images_file} holds {len(every):,} images, expected five times "
            f"the {count:,} test images of cifar10; fetch it again"
        )
    asked = slice((severity - 1) * count, severity * count)
    return Dataset(
        name,
        clean.train_images,
        clean.train_labels,
        _channels_first(every[asked]),
        labels[asked],
        clean.classes,
    )


def _expect_known(name: str, corruption: str, known: tuple[str, ...]) -> None:
    if corruption not in known:
        raise DatasetError(
            f"data set {name!r} has no corruption {corruption!r}{suggestion(corruption, known)} "
            f"(corruptions: {', '.join(known)})"
        )


def _expect_files(name: str, files: list[Path], archive: str) -> None:
    missing = [file for file in files if not file.is_file()]
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DatasetError(
            f"data set {name!r} not found: there is no {missing[0]}{others}; put {archive} there, "
            f"or name the folder that holds it with {named('data_root')} or AUGBENCH_DATA"
        )


def _mapped(name: str, file: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    """Map an array of images uint8 [N, *shape]."""
    images = _loaded(name, file)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != shape:
        expected = ", ".join(["N", *map(str, shape)])
        raise DatasetError(
            f"data set {name!r}: expected {file} to hold uint8 [{expected}], got {images.dtype} "
            f"{list(images.shape)}; fetch it again"
        )
    return images


def _labels(name: str, file: Path, count: int) -> NDArray[np.int64]:
    labels = _loaded(name, file)
    if labels.dtype.kind not in "iu" or labels.shape != (count,):
        raise DatasetError(
            f"data set {name!r}: expected {file} to hold {count:,} whole numbers, one for each "
            f"image, got {labels.dtype} {list(labels.shape)}; fetch it again"
        )
    return np.array(labels, dtype=np.int64)


def _loaded(name: str, file: Path) -> NDArray[Any]:
    try:
        loaded = np.load(file, mmap_mode="r", allow_pickle=False)
        if not isinstance(loaded, np.ndarray):
            raise ValueError("it is an archive of arrays")
        return loaded
    except (OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(
            f"data set {name!r}: {file} cannot be read ({reason}); fetch it again"
        ) from error


def _channels_first(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Copy [N, H, W, C] from a file to [N, C, H, W] in memory."""
    return np.array(images.transpose(0, 3, 1, 2), dtype=np.uint8, order="C")
