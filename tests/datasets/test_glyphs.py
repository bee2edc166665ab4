import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from augbench.datasets import glyphs
from augbench.datasets.glyphs import glyph_digits, glyph_letters

DIGITS_HASH = "d840ec2730e4724db7a0a74decdaea41080e365375cd9ae51d3a54bd3cc225bb"
LETTERS_HASH = "07fd1ad10c0ec4aef3cbc9b9ee147bbe0a0b4394bb3031f4c186710396b6f5b2"


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Digits of 3 + 2 images a class and an empty cache: (the set, its cache file)."""
    monkeypatch.setenv("AUGBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(glyphs, "TRAIN_PER_CLASS", 3)
    monkeypatch.setattr(glyphs, "TEST_PER_CLASS", 2)
    drawn = glyphs._dataset(glyphs.DIGITS, glyphs._draw_all(glyphs.DIGITS))
    which = glyphs._Set("glyph-digits", 0, glyphs.DIGITS.classes, 1, drawn.content_hash)
    monkeypatch.setattr(glyphs, "DIGITS", which)
    return which, tmp_path / "cache" / "glyphs" / f"glyph-digits-{which.content_hash[:16]}.u8"


@pytest.mark.parametrize(
    ("factory", "pinned", "classes"),
    [(glyph_digits, DIGITS_HASH, 10), (glyph_letters, LETTERS_HASH, 26)],
)
def test_images_are_these_bits_on_every_machine(factory, pinned, classes):
    dataset = factory(None)
    assert dataset.content_hash == pinned
    assert dataset.train_images.shape == (512 * classes, 1, 28, 28)
    assert dataset.test_images.shape == (200 * classes, 1, 28, 28)
    assert np.bincount(dataset.train_labels).tolist() == [512] * classes
    assert np.bincount(dataset.test_labels).tolist() == [200] * classes


def test_classes_are_the_digits_and_the_capital_letters():
    assert "".join(glyph_digits(None).classes) == "0123456789"
    assert "".join(glyph_letters(None).classes) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize("factory", [glyph_digits, glyph_letters])
def test_no_image_occurs_twice_so_training_and_test_share_none(factory):
    dataset = factory(None)
    images = np.concatenate([dataset.train_images, dataset.test_images])
    assert len({image.tobytes() for image in images}) == len(images)


@pytest.mark.parametrize("factory", [glyph_digits, glyph_letters])
def test_every_image_is_a_white_figure_on_black_with_little_ink_at_the_border(factory):
    images = factory(None).train_images[:, 0].astype(np.int64)
    assert images.max(axis=(1, 2)).min() > 100
    share = (images > 127).mean(axis=(1, 2))
    assert share.min() > 0.01
    assert share.max() < 0.6
    border = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], 1)
    assert (border > 127).mean() < 0.01


def test_importing_and_drawing_need_no_torch_no_font_library_and_no_cache():
    code = (
        "import sys, zlib; from augbench.datasets import glyphs\n"
        "glyphs.TRAIN_PER_CLASS, glyphs.TEST_PER_CLASS = 4, 2\n"
        "images = glyphs._draw_all(glyphs.DIGITS)\n"
        "print(zlib.crc32(images.tobytes()), sorted(m for m in"
        " ('torch', 'torchvision', 'scipy', 'PIL', 'matplotlib') if m in sys.modules))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(outputs) == 1
    assert outputs.pop().endswith(" []\n")


def test_chunk_length_is_no_part_of_the_result(small, monkeypatch):
    which, _ = small
    whole = glyphs._draw_all(which)
    monkeypatch.setattr(glyphs, "CHUNK", 7)
    assert np.array_equal(glyphs._draw_all(which), whole)


def test_an_undistorted_digit_is_the_atlas_glyph():
    tables = glyphs._read_atlas()[0]
    still = np.zeros((1, glyphs.COLUMNS), dtype=np.float32)
    image = glyphs._draw(tables, np.array([2]), np.array([8]), still)[0]
    table = tables[2, 8]
    # Pixel (r, c) looks at the table's middle plus ZOOM times its own offset from the middle.
    at = np.rint((np.arange(28) - 13.5) * glyphs.ZOOM + 17.5).astype(int).clip(0, 35)
    expected = table[np.ix_(at, at)].astype(int) > 128
    assert ((image > 127) == expected).mean() > 0.95


def test_a_second_call_reads_the_cache(small, monkeypatch):
    which, path = small
    first = glyph_digits(None)
    assert path.is_file()
    monkeypatch.setattr(glyphs, "_draw_all", lambda which: pytest.fail("drawn again"))
    second = glyph_digits(None)
    assert second.content_hash == first.content_hash == which.content_hash
    assert second.train_images.flags.writeable  # torch.from_numpy warns of arrays that are not


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
        lambda data: zlib.compress(data),
    ],
    ids=["truncated", "empty", "one bit flipped", "other bytes"],
)
def test_a_damaged_cache_file_is_drawn_anew_and_replaced(small, damage):
    which, path = small
    glyph_digits(None)
    sound = path.read_bytes()
    path.write_bytes(damage(sound))
    assert glyph_digits(None).content_hash == which.content_hash
    assert path.read_bytes() == sound


def test_a_cache_folder_that_cannot_be_written_prevents_nothing(small, monkeypatch, tmp_path):
    which, _ = small
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("AUGBENCH_CACHE", str(tmp_path / "file" / "cache"))
    assert glyph_digits(None).content_hash == which.content_hash


def test_a_directory_in_place_of_the_cache_file_prevents_nothing(small):
    which, path = small
    path.mkdir(parents=True)
    assert glyph_digits(None).content_hash == which.content_hash
    assert [entry for entry in path.parent.iterdir() if entry != path] == []  # nothing left behind


def test_other_bits_than_the_pinned_ones_are_reported(small, monkeypatch):
    wrong = glyphs._Set("glyph-digits", 0, glyphs.DIGITS.classes, 1, "0" * 64)
    monkeypatch.setattr(glyphs, "DIGITS", wrong)
    with pytest.warns(RuntimeWarning, match="drew other images"):
        glyph_digits(None)


def test_the_notice_travels_with_the_atlas():
    notice = Path(glyphs.__file__).with_name("glyph_atlas.NOTICE").read_text()
    for holder in ("Bitstream, Inc.", "Tavmjong Bah", "STI Pub Companies", "MicroPress"):
        assert holder in notice
    assert glyphs.ATLAS.stat().st_size < 400_000
