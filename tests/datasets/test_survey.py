"""What is seen of a folder of photographs before any study is planned."""

import os
import re
from pathlib import Path

import pytest
from photographs import album, photograph

from augbench.datasets import _kept_pixels
from augbench.datasets.folder import folder
from augbench.datasets.survey import survey
from augbench.errors import DatasetError

TWO = {"cat": 4, "dog": 3}


def test_counts_sides_and_colour_are_seen(tmp_path):
    album(tmp_path, TWO)
    found = survey(str(tmp_path))
    assert found.train == TWO
    assert (found.split, found.test, found.images) == (False, {}, 7)
    assert (set(found.sides), found.short_side, found.coloured) == ({(40, 30)}, 30, True)


def test_grey_pictures_are_grey_in_whatever_mode_they_are_saved(tmp_path):
    album(tmp_path, TWO, grey=True, size=(90, 90), quality=60)
    assert not survey(str(tmp_path)).coloured
    photograph(tmp_path / "dog" / "one.png", size=(200, 200))
    assert survey(str(tmp_path)).coloured


def test_train_and_test_are_taken_as_they_are(tmp_path):
    album(tmp_path / "train", TWO)
    album(tmp_path / "test", {"cat": 1, "dog": 2})
    found = survey(str(tmp_path))
    assert found.split
    assert (found.train, found.test) == (TWO, {"cat": 1, "dog": 2})


@pytest.mark.parametrize("inner", ["photos", "a/b", "train"])
def test_a_folder_that_holds_nothing_but_another_is_gone_into(tmp_path, inner):
    album(tmp_path / inner, TWO)
    assert survey(str(tmp_path)).place == tmp_path / inner


def test_what_is_no_image_is_left_out_and_counted(tmp_path):
    album(tmp_path, TWO)
    for name in ("README.md", "cat/notes.txt", "cat/b.TXT", "dog/film.mov", "cat/.DS_Store"):
        (tmp_path / name).write_text("no image")
    found = survey(str(tmp_path))
    assert found.others == {".txt": 2, ".md": 1, ".mov": 1}
    dataset = folder(None, path=str(tmp_path), test_fraction=0.3)
    assert len(dataset.train_images) + len(dataset.test_images) == 7


def test_all_problems_are_told_at_once(tmp_path):
    album(tmp_path, {"cat": 3, "dog": 3, "eel": 1})
    (tmp_path / "fox").mkdir()
    photograph(tmp_path / "stray.png")
    (tmp_path / "cat" / "broken.jpg").write_bytes(b"nothing")
    (tmp_path / "cat" / "phone.heic").write_bytes(b"nothing")
    whole = (tmp_path / "dog" / "000.jpg").read_bytes()
    (tmp_path / "dog" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError) as caught:
        survey(str(tmp_path))
    lines = str(caught.value).splitlines()
    for words in (
        "fox holds no images",
        "found the file .*stray.png",
        "eel holds 1 image",
        "broken.jpg cannot be read",
        "phone.heic cannot be read as an image: it is of the kind HEIC",
        "cut.jpg cannot be read as an image: image file is truncated",
    ):
        assert sum(bool(re.search(words, line)) for line in lines) == 1, words
    assert len(lines) == 6


def test_many_problems_of_one_kind_are_counted(tmp_path):
    album(tmp_path, TWO)
    for number in range(30):
        (tmp_path / "cat" / f"bad{number}.jpg").write_bytes(b"nothing")
    with pytest.raises(DatasetError) as caught:
        survey(str(tmp_path))
    lines = str(caught.value).splitlines()
    assert (len(lines), lines[-1]) == (11, "and 20 more of this kind")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: album(p / "train", TWO) and album(p / "val", TWO), "holds train/ and val/"),
        (lambda p: album(p, {"cat": 3}), "one class only"),
        (lambda p: album(p / "a", TWO) and album(p / "b", TWO), "found the folder .*a/cat and 1 m"),
        (lambda p: [photograph(p / f"{k}.jpg") for k in range(3)], "0.jpg and 2 more"),
        (lambda p: None, "holds no class folders"),
        (
            lambda p: album(p / "train", TWO) and album(p / "test", {"cat": 1}),
            "class 'dog' .* is in train/ and not in test/",
        ),
    ],
)
def test_what_is_no_album_is_told_with_what_was_expected(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(DatasetError, match=message):
        survey(str(tmp_path))


def test_the_order_of_a_file_system_changes_nothing(tmp_path, monkeypatch):
    album(tmp_path, TWO)
    before = survey(str(tmp_path)), folder(None, path=str(tmp_path), test_fraction=0.5)
    entries = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: sorted(entries(self), reverse=True))
    after = survey(str(tmp_path)), folder(None, path=str(tmp_path), test_fraction=0.5)
    assert before[0] == after[0]
    assert before[1].content_hash == after[1].content_hash


def test_another_split_tests_on_other_images_and_parts_them_too(tmp_path):
    for number in range(20):
        for seed, name in enumerate(("cat", "dog")):
            photograph(tmp_path / name / f"{number}.png", size=(16, 16), seed=seed)
    hashes = set()
    for split in range(4):
        one = folder(None, path=str(tmp_path), size=16, test_fraction=0.5, split=split)
        train, test = ({x.tobytes() for x in part} for part in (one.train_images, one.test_images))
        assert not train & test
        assert [int((one.test_labels == k).sum()) for k in (0, 1)] == [10, 10]
        hashes.add(one.content_hash)
    assert len(hashes) == 4


def test_pixels_of_large_files_are_recalled_only_for_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("AUGBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(_kept_pixels, "_WORTH_KEEPING", 0)
    album(tmp_path / "photos", TWO)

    def read(**how):
        return folder(None, path=str(tmp_path / "photos"), test_fraction=0.3, **how)

    first, decoded, decode = read().content_hash, [], _kept_pixels.read_images
    monkeypatch.setattr(_kept_pixels, "read_images", lambda *a: decoded.append(a) or decode(*a))
    assert (read().content_hash, decoded) == (first, [])
    assert read(channels=3).content_hash != first
    (kept, *_) = sorted((tmp_path / "cache" / "pixels").iterdir(), key=os.path.getsize)
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    assert read().content_hash == first
    file = tmp_path / "photos" / "cat" / "000.jpg"
    was = file.stat()
    photograph(file, seed=99)
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert read().content_hash != first
    assert len(decoded) == 3
