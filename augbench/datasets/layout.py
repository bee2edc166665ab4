"""The files of an image folder: its classes, and which images are for training or for testing.

Whatever does not fit is gathered, so that one look tells all of it.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from augbench.errors import DatasetError, ParameterError

__all__ = [
    "Classes",
    "class_name",
    "classes_in",
    "expect_no_problems",
    "left_out",
    "part_of",
    "parts_of",
    "place_of",
    "subfolders",
]

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
# Files that lie beside photographs and are none: papers, tables, films, sounds, archives, code, and
# what cameras and editors keep of a picture. A list of our own, since Pillow's differs by version.
_NO_IMAGES = frozenset(
    [
        ".aae",
        ".avi",
        ".csv",
        ".doc",
        ".docx",
        ".db",
        ".htm",
        ".html",
        ".ini",
        ".ipynb",
        ".json",
        ".jsonl",
        ".lnk",
        ".log",
        ".m4a",
        ".md",
        ".mkv",
        ".mov",
        ".mp3",
        ".mp4",
        ".odt",
        ".ods",
        ".pdf",
        ".ppt",
        ".pptx",
        ".py",
        ".rar",
        ".rtf",
        ".tar",
        ".gz",
        ".tgz",
        ".thm",
        ".toml",
        ".tsv",
        ".txt",
        ".url",
        ".wav",
        ".webm",
        ".xls",
        ".xlsx",
        ".xml",
        ".xmp",
        ".yaml",
        ".yml",
        ".zip",
        ".7z",
    ]
)

_MOST_TOLD = 10
"""Problems that are told one by one; of more, the number."""

Classes = dict[str, list[Path]]
"""The images of each class, by its name; both sorted by name."""


def place_of(path: str) -> Path:
    """The folder that a path names; raises `ParameterError` or `DatasetError` for none."""
    if not path:
        raise ParameterError("folder: expected the folder that holds the images: folder:PATH")
    place = Path(path).expanduser()
    if not place.is_dir():
        raise DatasetError(f"data set 'folder': there is no folder {place}")
    return place


def parts_of(place: Path, test_fraction: float, split: int = 0) -> tuple[Classes, Classes]:
    """The training and test files of every class, by either layout.

    With a `test_fraction`, the images of a class are ranked by a hash of their names and of
    `split`, and the first of them are held out. Raises `DatasetError`, with a line for each
    problem.
    """
    problems: list[str] = []
    parts = {part: part_of(place, part) for part in ("train", "test")}
    if test_fraction == 0:
        if parts["train"] is None or parts["test"] is None:
            missing = " and ".join(f"{part}/" for part, found in parts.items() if found is None)
            raise DatasetError(
                f"{place} holds no {missing}; expected train/CLASS/IMAGE and test/CLASS/IMAGE, "
                "or CLASS/IMAGE with a split such as test_fraction=0.2"
            )
        train, test = (classes_in(part, problems) for part in (parts["train"], parts["test"]))
        for name in sorted(train.keys() ^ test.keys()) if train and test else ():
            where, other = ("train", "test") if name in train else ("test", "train")
            problems.append(
                f"expected the same classes in {place}/train and {place}/test, "
                f"but {name!r} is in {where}/ and not in {other}/"
            )
        expect_no_problems(problems)
        return train, test
    if None not in parts.values():
        raise DatasetError(f"{place} holds train/ and test/ already: leave test_fraction out")
    train, test = {}, {}
    for name, files in classes_in(place, problems).items():
        if len(files) < 2:
            problems.append(
                f"class folder {files[0].parent} holds 1 image; test_fraction needs at least 2"
            )
            continue
        ranked = sorted(files, key=lambda file: _rank(file, split))
        held_out = min(max(round(len(files) * test_fraction), 1), len(files) - 1)
        test[name], train[name] = _sorted(ranked[:held_out]), _sorted(ranked[held_out:])
    expect_no_problems(problems)
    return train, test


def expect_no_problems(problems: Sequence[str]) -> None:
    """Raise a `DatasetError` with a line for each problem, and the number of those beyond ten."""
    if problems:
        told, more = list(problems[:_MOST_TOLD]), len(problems) - _MOST_TOLD
        if more > 0:
            told.append(f"and {more:,} more of this kind")
        raise DatasetError("\n".join(told))


def part_of(place: Path, part: str) -> Path | None:
    """The folder `train` or `test`, in any case, as a file system without case would find it."""
    found = [one for one in _entries(place) if one.name.lower() == part and one.is_dir()]
    return min(found, key=lambda one: (one.name != part, one.name), default=None)


def subfolders(place: Path) -> list[Path]:
    """The folders in a place, without those that systems leave behind, sorted by name."""
    return [one for one in _entries(place) if _visible(one.name) and one.is_dir()]


def classes_in(place: Path, problems: list[str]) -> Classes:
    """The class folders of `place` in the order of their names, each with its images.

    Adds a line to `problems` for each thing that does not fit, and goes on without it.
    """
    classes: Classes = {}
    before = len(problems)
    entries = [entry for entry in _entries(place) if _is_wanted(entry)]
    if strays := [entry for entry in entries if not entry.is_dir()]:
        problems.append(
            f"expected one folder a class in {place}, found the file {strays[0]}"
            f"{_and_more(strays)}; put each image into the folder of its class"
        )
    for entry in entries:
        name = class_name(entry)
        if entry in strays:
            continue
        if name in classes:
            problems.append(
                f"two class folders of {place} are called {name!r}, in two Unicode forms; "
                "rename one of them, or bring their images together"
            )
        elif files := _images_in(entry, problems):
            classes[name] = files
    if not classes and len(problems) == before:
        problems.append(f"{place} holds no class folders; expected one folder a class")
    return classes


def left_out(place: Path) -> list[Path]:
    """The files in a place and in its class folders that are no images by their names."""
    folders = [place, *subfolders(place)]
    return [
        file
        for folder in folders
        for file in _entries(folder)
        if _visible(file.name) and not _is_wanted(file)
    ]


def _images_in(folder: Path, problems: list[str]) -> list[Path]:
    entries = [entry for entry in _entries(folder) if _is_wanted(entry)]
    folders = [entry for entry in entries if entry.is_dir()]
    if folders:
        problems.append(
            f"expected images in the class folder {folder}, found the folder {folders[0]}"
            f"{_and_more(folders)}; name the folder whose folders are the classes, or move all of "
            "these into it"
        )
    files = [entry for entry in entries if entry not in folders]
    if not entries:
        problems.append(f"class folder {folder} holds no images; fill it, or take it away")
    return files


def _and_more(found: list[Path]) -> str:
    return f" and {len(found) - 1:,} more" if len(found) > 1 else ""


def _is_wanted(entry: Path) -> bool:
    """False for what a folder of images may hold beside them."""
    return _visible(entry.name) and (entry.suffix.lower() not in _NO_IMAGES or entry.is_dir())


def _visible(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in _HIDDEN


def class_name(path: Path) -> str:
    """The name in one Unicode form: macOS may hand out an é as an e and an accent."""
    return unicodedata.normalize("NFC", path.name)


def _sorted(paths: Iterable[Path]) -> list[Path]:
    """By name alone: paths themselves are compared without their case on Windows."""
    return sorted(paths, key=lambda path: (class_name(path), path.name))


def _rank(file: Path, split: int) -> str:
    name = f"{class_name(file.parent)}/{class_name(file)}"
    text = f"{split}/{name}" if split else name
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _entries(place: Path) -> list[Path]:
    try:
        return _sorted(place.iterdir())
    except OSError as error:
        raise DatasetError(
            f"the folder {place} cannot be read: {error.strerror}; allow it, or take it away"
        ) from error
