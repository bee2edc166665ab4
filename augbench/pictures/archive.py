"""Pictures of a study's augmentations, kept in one file beside its store; no torch.

`augbench run` adds what is missing (`augbench.pictures.making`), reports read it. A picture is
found by the content of its data set and the identity of its augmentation, as cells are.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from augbench.errors import StoreError
from augbench.options import named
from augbench.plugins.pipelines import Pipeline
from augbench.writing import save

__all__ = [
    "FILE_NAME",
    "Picture",
    "add_pictures",
    "damage",
    "known_pictures",
    "merge_pictures",
    "picture_key",
    "pictures_of",
]

FILE_NAME = "gallery.npz"
_PARTS = ("originals", "results", "captions", "problem")


@dataclass(frozen=True, eq=False)
class Picture:
    """One augmentation on N images: uint8 [N, C, H, W] before and after, and a caption for each.

    Where it could not be drawn there are no images, and `problem` says why.
    """

    dataset: str
    augmentation: str
    originals: NDArray[np.uint8]
    results: NDArray[np.uint8]
    captions: tuple[str, ...]
    problem: str = ""


class _Damaged(Exception):
    """The file holds no whole archive."""


def picture_key(content_hash: str, identity: Mapping[str, Any]) -> str:
    """A hash of 16 letters over the images' content and the augmentation's identity."""
    text = json.dumps([content_hash, identity], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def known_pictures(folder: Path) -> set[str]:
    """The keys of the pictures that are kept in a store's folder."""
    return {name.partition(".")[0] for name in _read(folder)}


def add_pictures(folder: Path, pictures: Mapping[str, Picture]) -> None:
    """Keep further pictures, under their keys; raises `StoreError` if that is impossible."""
    arrays = _read(folder)
    for key, picture in pictures.items():
        for part in _PARTS:
            arrays[f"{key}.{part}"] = np.asarray(getattr(picture, part))
    _write(folder, arrays)


def merge_pictures(folders: Iterable[Path], out: Path) -> None:
    """Bring the pictures of several stores' folders into `out`."""
    arrays: dict[str, NDArray[Any]] = {}
    for folder in folders:
        arrays = {**_read(folder), **arrays}
    if arrays:
        _write(out, arrays)


def pictures_of(folder: Path, description: Mapping[str, Any]) -> list[Picture]:
    """The pictures of a stored study that are there, in the order of its plan."""
    arrays = _read(folder)
    found = []
    for dataset in dict.fromkeys(pretrain for pretrain, _ in description["pairs"]):
        content_hash = description["datasets"][dataset]["content_hash"]
        for arm in description["arms"]:
            key = picture_key(content_hash, Pipeline.from_json(arm["pipeline"]).identity())
            if f"{key}.originals" in arrays:
                originals, results, captions, problem = (arrays[f"{key}.{p}"] for p in _PARTS)
                texts = tuple(map(str, captions))
                found.append(
                    Picture(dataset, arm["shown"], originals, results, texts, str(problem))
                )
    return found


def damage(folder: Path) -> str:
    """One line on what is wrong with the pictures of a folder; nothing where they can be read."""
    try:
        _load(folder / FILE_NAME)
    except _Damaged as error:
        return (
            f"{str(folder / FILE_NAME)!r} is damaged ({error}): reports do without its pictures, "
            "and the next `augbench run` makes them again"
        )
    return ""


def _read(folder: Path) -> dict[str, NDArray[Any]]:
    """The arrays of the pictures that are whole; none of a damaged file."""
    try:
        arrays = _load(folder / FILE_NAME)
    except _Damaged:
        return {}
    keys = {name.partition(".")[0] for name in arrays}
    whole = [key for key in keys if all(f"{key}.{part}" in arrays for part in _PARTS)]
    return {f"{key}.{part}": arrays[f"{key}.{part}"] for key in sorted(whole) for part in _PARTS}


def _load(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return dict(archive)
    except (OSError, ValueError, KeyError, TypeError, BadZipFile, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise StoreError(
                f"cannot read {str(path)!r} ({error.strerror}); see to it that it can be read"
            ) from error
        raise _Damaged(str(error) or type(error).__name__) from error


def _write(folder: Path, arrays: dict[str, NDArray[Any]]) -> None:
    def write(place: Path) -> None:
        with place.open("wb") as file:
            # Its names come from hashes; none is the one positional argument, "file".
            np.savez_compressed(file, allow_pickle=False, **arrays)

    save(folder / FILE_NAME, write, hint=f"name a writable folder with {named('out')}")
