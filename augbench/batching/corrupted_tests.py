"""Corrupted copies of test images, made once and kept in the cache folder for all workers.

A copy's file is named by all that it depends on and holds a digest of itself: where it is damaged,
or cannot be written, the copy is made again. Importing this imports no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augbench.caching import cache_folder
from augbench.corruptions.sets import CHUNK, corrupted
from augbench.errors import ContractError
from augbench.plugins.guard import Guard, Place
from augbench.protocol.streams import corruption_stream
from augbench.writing import beside

if TYPE_CHECKING:
    from augbench.datasets.contract import Dataset
    from augbench.plugins.components import Component

__all__ = ["CorruptedTests", "copy_path"]

_DIGEST = hashlib.sha256().digest_size
_KEPT_BYTES = 2**28
"""Bytes of copies that a process keeps in memory where the cache folder cannot be written."""

_DECIDING = ("torch", "torchvision", "pillow", "numpy")
"""The distributions by whose versions a copy may differ in rounding."""


def copy_path(content_hash: str, corruption: Component, root_seed: int) -> Path:
    """The file of a corrupted copy of a data set's test images."""
    asked = [content_hash, corruption.identity(), root_seed, CHUNK, [*map(_version, _DECIDING)]]
    key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return cache_folder() / "corrupted" / f"{key[:32]}.bin"


class CorruptedTests:
    """Gives corrupted copies of test images; `create` makes a corruption of its component."""

    def __init__(self, create: Callable[[Component], Any]) -> None:
        self._create = create
        self._known: dict[Path, NDArray[np.uint8]] = {}
        self._kept = 0
        self._failed: dict[Path, str] = {}

    def problem(self, dataset: Dataset, corruption: Component, root_seed: int) -> str:
        """Make a copy for others to read; returns a line on why that cannot be, or ""."""
        path = copy_path(dataset.content_hash, corruption, root_seed)
        if _read(path, dataset.test_images.shape) is None:
            try:
                _write(path, self._made(path, dataset, corruption, root_seed))
            except ContractError as error:
                return str(error)
        return ""

    def copy_of(self, dataset: Dataset, corruption: Component, root_seed: int) -> NDArray[np.uint8]:
        """The corrupted test images uint8 [N, C, H, W], mapped from the file where there is one.

        Raises `ContractError`, in one line, for a corruption that raises or breaks its contract,
        which is not tried twice.
        """
        path = copy_path(dataset.content_hash, corruption, root_seed)
        if path in self._known:
            return self._known[path]
        if path in self._failed:
            raise ContractError(self._failed[path])
        found = _read(path, dataset.test_images.shape)
        if found is None:
            made = self._made(path, dataset, corruption, root_seed)
            _write(path, made)
            found = _read(path, made.shape)
            if found is None:
                if self._kept + made.nbytes > _KEPT_BYTES:
                    return made
                self._kept += made.nbytes
                found = made
        self._known[path] = found
        return found

    def _made(
        self, path: Path, dataset: Dataset, corruption: Component, root_seed: int
    ) -> NDArray[np.uint8]:
        who = f"corruption {corruption.label!r}"
        rng = corruption_stream(root_seed, dataset.content_hash, corruption)
        try:
            with Guard(Place(who)):
                return corrupted(dataset.test_images, self._create(corruption), rng)
        except Exception as error:
            self._failed[path] = (
                f"{who} failed on the test images of {dataset.name!r}: "
                f"{type(error).__name__}: {_one_line(error)}"
            )
            raise ContractError(self._failed[path]) from error


def _read(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """The images of a file; None where there is none, or a damaged one."""
    try:
        if path.stat().st_size != _DIGEST + int(np.prod(shape)):
            return None
        images = np.memmap(path, np.uint8, mode="r", offset=_DIGEST, shape=shape)
        with path.open("rb") as file:
            told = file.read(_DIGEST)
    except (OSError, ValueError):
        return None
    return images if hashlib.sha256(images.data).digest() == told else None


def _write(path: Path, images: NDArray[np.uint8]) -> None:
    try:
        with beside(path) as place, place.open("wb") as file:
            file.write(hashlib.sha256(images.data).digest())
            file.write(images.data)
    except OSError:
        return  # the copy is made again where it is needed


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _one_line(error: BaseException) -> str:
    try:
        return " ".join(str(error).split()) or "no message"
    except Exception:  # a plugin's exception may not even have a text
        return "a message that cannot be made"
